"""Handshakes that are under way when a socket closes whose port others share."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import gevent
import pytest

from lymph.testing.waiting import eventually
from lymph.web._serving.handshakes import (
    accept_all_again,
    await_handshakes,
    begin_no_more,
    under_way,
)

_IP_MINTTL = 21


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(('127.0.0.1', 0)) as sock:
        yield sock


@pytest.fixture
def slow_client(listener: socket.socket) -> Iterator[socket.socket]:
    """A client that the answers to its first packet do not reach."""
    with socket.socket() as sock:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, 255)  # no answer has so many
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        yield sock


def test_handshake_under_way_is_waited_for_but_not_for_ever(listener, slow_client):
    port = listener.getsockname()[1]
    eventually(lambda: len(under_way(port) or ()) == 1)
    waiting = gevent.spawn(await_handshakes, port, 0.2)
    gevent.joinall([waiting], timeout=0.05)
    assert not waiting.ready()
    waiting.get(timeout=10)
    assert len(under_way(port) or ()) == 1


def test_handshakes_of_later_clients_are_not_waited_for(listener):
    port = listener.getsockname()[1]
    assert under_way(port) == frozenset()
    with socket.create_connection(('127.0.0.1', port), timeout=10):
        with gevent.Timeout(10):
            await_handshakes(port, 3600)
        assert under_way(port) == frozenset()


def test_slow_handshake_ends_after_new_ones_cannot_begin(listener, slow_client):
    assert begin_no_more(listener)
    slow_client.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, 0)
    with gevent.Timeout(10):
        await_handshakes(listener.getsockname()[1], 3600)  # the kernel sends its answer again
    accepted, _ = listener.accept()
    with accepted:
        accept_all_again(accepted)
        slow_client.setblocking(True)
        slow_client.sendall(b'hello')
        accepted.settimeout(10)
        assert accepted.recv(10) == b'hello'
