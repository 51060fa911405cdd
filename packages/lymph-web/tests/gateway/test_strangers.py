"""Handlers and clients of a gateway that do what nobody expects."""

from __future__ import annotations

import json
from typing import Any

import gevent
import pytest
from gevent import socket

import lymph

WAIT = 10.0
CALL = {'jsonrpc': '2.0', 'id': 1, 'method': 'tools/call', 'params': {'name': 'shop.echo'}}


class Textless(BaseException):
    def __str__(self):
        raise SystemExit


RAISED = [
    SystemExit(3),
    KeyboardInterrupt(),
    gevent.GreenletExit(),
    gevent.Timeout(1),
    GeneratorExit(),
    StopIteration(),
    RecursionError(),
    Textless(),
    lymph.Timeout('x'),
    lymph.Refused('x', 'overloaded'),
    ValueError('\ud800\x00' * 9999),
]
RETURNED = [object(), (each for each in 'ab'), '\ud800', {1: 2, '1': 3}, 2**64, [float('inf')]]


class Strange(lymph.Interface):
    @lymph.rpc()
    def fail(self, number):
        raise RAISED[number]

    @lymph.rpc(raises=(BaseException,))
    def tell(self, number):
        raise RAISED[number]

    @lymph.rpc()
    def give(self, number):
        return RETURNED[number]

    @lymph.rpc()
    def echo(self, value):
        return value


@pytest.mark.parametrize('together', [False, True])
def test_whatever_a_method_does_its_client_gets_an_answer_and_the_next_call_runs(world, together):
    if together:
        asking = world.gateway('strange.*', beside=(Strange, 'strange'))
    else:
        world.start((Strange, 'strange'))
        asking = world.gateway('strange.*')
    for number in range(len(RAISED)):
        key = {'Idempotency-Key': f'fail{number}'}
        for _ in range(2):
            problem = asking.problem('strange/fail', {'number': number}, headers=key)
            assert problem.facts == (500, 'failed', True)
        problem = asking.problem('strange/tell', {'number': number})
        assert problem.facts == (422, 'declared', True)
        assert len(problem.members['detail']) <= 4000
    for number in range(len(RETURNED)):
        problem = asking.problem('strange/give', {'number': number})
        assert problem.facts[0] == 500
        assert problem.facts[2]
    assert asking.post('strange/echo', {'value': 1}).json == 1


#: fields of a head, with bytes that do not belong there
FIELDS = [
    b'Accept: application/json;q=nan',
    b'Accept: application/json;q=1e999',
    b'Accept: ;;;,,,',
    b'Accept: */*;q=\xb2',
    b'Accept: ' + b'a/b,' * 2000,
    b'Content-Type: application/json; charset="\xff"',
    b"Content-Type: application/json; charset*=utf-8''%ff",
    b"Content-Type: application/json; charset*0*=x''utf-8",
    b'Content-Type: application/json;;;=',
    b'Content-Encoding: \xff',
    b'Authorization: \xff\xfe',
    b'Authorization: Basic ///',
    b'Idempotency-Key: "\xff"',
    b'Idempotency-Key: "a\\"',
    b'X-Request-Timeout: \xb2',
    b'X-Request-Timeout: 1e-400',
    b'Origin: http://[',
    b'Origin: \xff',
    b'Origin: http://a:99999999',
    b'Host: [',
    b'traceparent: \xff',
    b'X-Trace-Id: \xff',
    b'Cookie: \xff=;;',
    b'Forwarded: ;;;',
    b'Range: bytes=0-',
    b'If-None-Match: \xff"',
    b'If-Modified-Since: \xff',
    b'Expect: x',
    b'MCP-Protocol-Version: \xff',
    b'Mcp-Session-Id: \xff',
]
TARGETS: list[tuple[str, Any]] = [
    ('/api/shop/echo', {}),
    ('/api/shop/echo?version=%ff', {}),
    ('/api/shop/echo?version=1%00', {}),
    ('/api/shop/%C3%A9%00%ff', {}),
    ('/api/%2e%2e/tcp:%2F%2F127.0.0.1:1', {}),
    ('/api/mcp', CALL),
    ('/api/openapi.json', None),
    ('/api/', None),
    ('/api/page/%ff/..%2f..%2fmcp.py', None),
    ('/api/events?type=%ff', None),
]


def test_no_bytes_in_a_head_make_a_gateway_fail(world):
    world.shop()
    asking = world.gateway('shop.*', mcp={'methods': ['shop.echo']}, events=['shop.*'])
    port = asking.gateway.http_port

    def status(target: str, body: Any, field: bytes) -> int:
        data = b'' if body is None else json.dumps(body).encode()
        method = 'GET' if body is None else 'POST'
        lines = [f'{method} {target} HTTP/1.1'.encode(), field, b'Connection: close']
        lines.append(b'Content-Length: %d' % len(data))
        for name, usual in ((b'Host', b'x'), (b'Content-Type', b'application/json')):
            if not field.startswith(name):
                lines.append(name + b': ' + usual)
        with socket.create_connection(('127.0.0.1', port), timeout=WAIT) as client:
            client.sendall(b'\r\n'.join([*lines, b'', data]))
            with client.makefile('rb') as answer:
                return int(answer.read().split(b' ', 2)[1])

    for field in FIELDS:
        found = {target: status(target, body, field) for target, body in TARGETS}
        assert {each for each in found.values() if not 200 <= each < 500} == set(), (field, found)
    assert asking.post('shop/echo', {'value': 1}).json == 1
