"""`aiohttp`: python -m bench.http.subjects.aiohttp_site PORT."""

from __future__ import annotations

import sys

from aiohttp import web

__all__ = ['main']


async def _hello(request: web.Request) -> web.Response:
    return web.Response(text=f'hello {request.match_info["name"]}')


def main(port: str) -> None:
    """Serve until the process is told to stop."""
    application = web.Application()
    application.router.add_get('/hello/{name}', _hello)
    web.run_app(application, host='127.0.0.1', port=int(port), access_log=None)


if __name__ == '__main__':
    main(*sys.argv[1:])
