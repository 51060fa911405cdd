"""What ends while a tool of MCP runs: the connection of its client, or the process."""

from __future__ import annotations

import json

import gevent
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


def test_tool_that_runs_when_the_process_drains_is_answered_and_the_connection_ends(world):
    shop = world.shop()
    gateway = world.gateway('shop.*', timeout=WAIT, mcp={'methods': ['shop.hang']}).gateway
    call = {'jsonrpc': '2.0', 'id': 1, 'method': 'tools/call', 'params': {'name': 'shop.hang'}}
    body = json.dumps(call)
    lines = ['POST /api/mcp HTTP/1.1', 'Host: x', 'Content-Type: application/json']
    with (
        socket.create_connection(('127.0.0.1', gateway.http_port), timeout=WAIT) as client,
        socket.create_connection(('127.0.0.1', gateway.http_port), timeout=WAIT) as idle,
    ):
        client.sendall('\r\n'.join([*lines, f'Content-Length: {len(body)}', '', body]).encode())
        assert shop.entered.wait(WAIT)
        drained = gevent.spawn(gateway.container.drain)
        assert idle.recv(1) == b''
        shop.go_on.set()
        with client.makefile('rb') as file:
            answer = file.read()  # to its end, since the connection is closed
        assert (
            json.loads(answer.partition(b'\r\n\r\n')[2])['result']['content'][0]['text'] == 'done'
        )
        assert drained.get(timeout=WAIT) == 0
