"""Uses a gateway with the official client of MCP, and prints what it has got as JSON.

Run in a process of its own, because the client needs asyncio: ``official_client.py URL``.
"""

from __future__ import annotations

import asyncio
import json
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


async def main(url: str) -> None:
    """Use the gateway with the latest version, and with the one before."""
    print(json.dumps([await use(url, mode) for mode in ('auto', 'legacy')]))


if __name__ == '__main__':
    asyncio.run(main(sys.argv[1]))
