"""Clients that hang up while their call runs, over real sockets."""

from __future__ import annotations

import json

import pytest
from gevent import socket

from lymph.core.settings import ContainerSettings
from lymph.testing.waiting import eventually
from lymph.web.gateway import Gateway

WAIT = 10.0


@pytest.fixture
def post(world):
    """Return a function that sends a call to a gateway, and returns its socket."""
    port = world.gateway('shop.*', timeout=WAIT).gateway.http_port
    sockets = []

    def post(path, *fields):
        client = socket.create_connection(('127.0.0.1', port), timeout=WAIT)
        sockets.append(client)
        lines = [f'POST /api/{path} HTTP/1.1', 'Host: x', 'Content-Type: application/json']
        client.sendall('\r\n'.join([*lines, *fields, 'Content-Length: 2', '', '{}']).encode())
        return client

    yield post
    for each in sockets:
        each.close()


@pytest.mark.parametrize('key', ['', '?version=1'])
def test_call_of_a_client_that_hangs_up_is_cancelled_if_the_method_allows_it(world, post, key):
    shop = world.shop('1.0.0')
    client = post(f'shop/wait{key}')
    assert shop.entered.wait(WAIT)
    client.close()
    assert shop.cancelled.wait(WAIT)


def test_call_with_an_idempotency_key_goes_on_and_its_client_can_come_back(world, post):
    shop = world.shop()
    clients = []
    for fields in [['Idempotency-Key: "k"'], []]:
        clients.append(post('shop/wait', *fields))
        assert shop.entered.wait(WAIT)
        shop.entered.clear()
    for client in clients:
        client.close()
    assert shop.cancelled.wait(WAIT)  # the second one, which has hung up after the first
    shop.go_on.set()

    def comes_back():
        return b'"done"' in post('shop/wait', 'Idempotency-Key: "k"').recv(10_000)

    eventually(comes_back)


@pytest.mark.parametrize('how', ['drain', 'stop'])
def test_call_that_the_end_of_the_process_cuts_leaves_no_idempotency_key_running(world, how):
    shop = world.shop()
    (gateway,) = world.start(
        (Gateway, 'api', None, {'allow': ['shop.*'], 'ip': '127.0.0.1'}),
        settings=ContainerSettings(rpc_timeout=WAIT, drain_timeout=0.05),
    )
    with socket.create_connection(('127.0.0.1', gateway.http_port), timeout=WAIT) as client:
        client.sendall(
            b'POST /api/shop/hang HTTP/1.1\r\nHost: x\r\nIdempotency-Key: "k"\r\n'
            b'Content-Length: 0\r\n\r\n'
        )
        assert shop.entered.wait(WAIT)
        getattr(gateway.container, how)()
        assert not client.recv(10_000).startswith(b'HTTP/1.1 200')
    states = gateway._answers._outcomes._states.values()
    eventually(lambda: [each.running for each in states] == [False])
    assert shop.calls == ['hang']


def test_client_that_has_only_closed_its_own_side_gets_the_answer(world, post):
    shop = world.shop()
    client = post('shop/hang')
    assert shop.entered.wait(WAIT)
    client.shutdown(socket.SHUT_WR)
    shop.go_on.set()
    with client.makefile('rb') as answer:
        assert json.loads(answer.read().partition(b'\r\n\r\n')[2]) == 'done'


def test_requests_on_one_connection_are_watched_one_by_one(world, post):
    shop = world.shop()
    client = post('shop/echo')
    assert client.recv(10_000).startswith(b'HTTP/1.1 200')
    client.sendall(
        b'POST /api/shop/wait HTTP/1.1\r\nHost: x\r\n'
        b'Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}'
    )
    assert shop.entered.wait(WAIT)
    client.close()
    assert shop.cancelled.wait(WAIT)
