"""Uses a gateway with the official client of MCP, and prints what it has got as JSON.

Run in a process of its own, because the client needs asyncio: ``official_client.py URL EXAMPLE``.
The example is a program that is run with the URL; what it prints is the last item.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import pathlib
import sys
from typing import Any

from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

FORBIDDEN = [
    'secrets.read',
    'shop.order',
    'lymph.status',
    'lymph.inspect',
    'Shop.total',
    'api.x',
    '',
]


async def use(url: str, mode: Any) -> dict[str, Any]:
    """Return what a client sees that speaks a version of the protocol."""
    async with Client(url, mode=mode) as client:
        tools = []
        cursor = None
        while True:
            page = await client.list_tools(cursor=cursor)
            tools += [tool.model_dump(by_alias=True, exclude_none=True) for tool in page.tools]
            if (cursor := page.next_cursor) is None:
                break
        total = {'lines': [{'article': 'sock', 'price': 2.5}], 'day': '2026-02-19'}
        calls = [
            ('shop.total', total),
            ('shop.total', {'lines': 'none'}),
            ('shop.find', {'article': 'sock'}),
            ('shop.find', {'article': 'boot'}),
            ('shop.names', {}),
            ('shop.hang', {}),
        ]
        results = [
            (await client.call_tool(name, arguments)).model_dump(by_alias=True, exclude_none=True)
            for name, arguments in calls
        ]
        if mode == 'legacy':
            await client.send_ping()
        return {
            'version': client.protocol_version,
            'server': client.server_info.name,
            'tools': tools,
            'results': results,
            'refused': [await refused(client, name) for name in FORBIDDEN],
        }


async def refused(client: Client, name: str) -> int | None:
    """Return the code of the error for a tool; None if there is a result."""
    try:
        await client.call_tool(name, {})
    except MCPError as error:
        return error.code
    return None


async def main(url: str) -> list[Any]:
    """Use the gateway with the latest version, and with the one before."""
    return [await use(url, mode) for mode in ('auto', 'legacy')]


def printed(example: str) -> str:
    """Return what the example prints."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        exec(compile(example, 'example', 'exec'), {'__name__': '__main__'})
    return output.getvalue()


if __name__ == '__main__':
    seen = asyncio.run(main(sys.argv[1]))
    print(json.dumps([*seen, printed(pathlib.Path(sys.argv[2]).read_text())]))
