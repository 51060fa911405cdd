"""Clients of MCP that close their connection while a tool runs."""

from __future__ import annotations

import json

import pytest
from gevent import socket

WAIT = 10.0


@pytest.mark.parametrize('several', [False, True])
def test_tool_of_a_client_that_hangs_up_is_cancelled_if_its_method_allows_it(world, several):
    shop = world.shop()
    mcp = {'methods': ['shop.wait']}
    port = world.gateway('shop.*', timeout=WAIT, mcp=mcp).gateway.http_port
    call = {'jsonrpc': '2.0', 'id': 1, 'method': 'tools/call', 'params': {'name': 'shop.wait'}}
    body = json.dumps([call] if several else call)
    lines = ['POST /api/mcp HTTP/1.1', 'Host: x', 'Content-Type: application/json']
    with socket.create_connection(('127.0.0.1', port), timeout=WAIT) as client:
        client.sendall('\r\n'.join([*lines, f'Content-Length: {len(body)}', '', body]).encode())
        assert shop.entered.wait(WAIT)
    assert shop.cancelled.wait(WAIT)
