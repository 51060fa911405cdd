"""Accepting: fair shares, pauses, exhausted descriptors, and an end without resets."""

from __future__ import annotations

import logging
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from lymph.core.monitoring.log_limits import LimitedLog
from lymph.testing.waiting import eventually
from lymph.web._serving.accepting import HttpAcceptor
from lymph.web._serving.listening import ListeningSocket, listen_at_port
from lymph.web._serving.server import WebServer

WAIT = 10.0  # longer than anything here takes


class Served:
    """Keeps the sockets that an acceptor has passed on."""

    def __init__(self) -> None:
        self.sockets: list[Any] = []
        self.addresses: list[Any] = []

    def __call__(self, sock: Any, address: Any) -> None:
        self.sockets.append(sock)
        self.addresses.append(address)

    def greet(self, text: bytes) -> None:
        for sock in self.sockets:
            sock.sendall(text)
            sock.close()


@pytest.fixture
def served() -> Served:
    return Served()


@pytest.fixture
def accept() -> Iterator[Callable[..., HttpAcceptor]]:
    made: list[HttpAcceptor] = []

    def start(listening: ListeningSocket, serve: Any, *more: Any) -> HttpAcceptor:
        made.append(HttpAcceptor(listening, serve, LimitedLog(logging.getLogger('test')), *more))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.close()


def connect(listening: ListeningSocket, count: int = 1) -> list[socket.socket]:
    address = '127.0.0.1', listening.port
    return [socket.create_connection(address, timeout=WAIT) for _ in range(count)]


def close(*groups: list[Any]) -> None:
    for group in groups:
        for each in group:
            each.close()


def test_accepted_sockets_are_plain_and_never_block(accept, served):
    listening = listen_at_port('127.0.0.1', 0)
    accept(listening, served)
    clients = connect(listening, 40)
    eventually(lambda: len(served.sockets) == 40, WAIT)
    assert served.addresses == [client.getsockname() for client in clients]
    with pytest.raises(BlockingIOError):
        served.sockets[0].recv(1)
    close(clients, served.sockets)


def test_two_acceptors_of_one_socket_share_what_waits(accept):
    listening = listen_at_port('127.0.0.1', 0)
    shares = [Served(), Served()]
    clients = connect(listening, 20)
    for share in shares:
        accept(ListeningSocket(listening.socket.dup(), shared=True), share)
    eventually(lambda: sum(len(share.sockets) for share in shares) == 20, WAIT)
    assert min(len(share.sockets) for share in shares) >= 5
    close(clients, *(share.sockets for share in shares))
    listening.close()


def test_connections_wait_while_an_acceptor_is_paused(accept, served):
    listening = listen_at_port('127.0.0.1', 0)
    acceptor = accept(listening, served)
    acceptor.pause()
    clients = connect(listening, 3)
    other = listen_at_port('127.0.0.1', 0)
    also = Served()
    accept(other, also)
    clients += connect(other)
    eventually(lambda: also.sockets, WAIT)  # which came later
    assert served.sockets == []
    acceptor.resume()
    eventually(lambda: len(served.sockets) == 3, WAIT)
    close(clients, served.sockets, also.sockets)


def test_exhausted_descriptors_pause_the_acceptor_and_make_room(accept, served, caplog):
    listening = listen_at_port('127.0.0.1', 0)
    asked = []
    acceptor = accept(listening, served, lambda: asked.append(None))
    with socket.socket() as client:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (client.fileno() + 1, hard))
        taken = []
        try:
            with suppress(OSError):
                while True:
                    taken.append(os.dup(client.fileno()))  # what is free below the limit
            client.settimeout(WAIT)
            client.connect(('127.0.0.1', listening.port))
            eventually(lambda: len(asked) >= 2, WAIT)
            acceptor.pause()
            acceptor.resume()  # does not end the pause
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            close([socket.socket(fileno=each) for each in taken])
        eventually(lambda: served.sockets, WAIT)
        close(served.sockets)
    assert 'no more connections can be accepted (Too many open files)' in caplog.text
    assert 'Traceback' not in caplog.text


def test_connection_that_cannot_be_served_is_closed_and_the_next_one_is(accept, served, caplog):
    listening = listen_at_port('127.0.0.1', 0)

    def serve(sock: Any, address: Any) -> None:
        if not failed:
            failed.append(sock)
            raise ValueError('no')
        served(sock, address)

    failed: list[Any] = []
    accept(listening, serve)
    first, second = connect(listening, 2)
    assert first.recv(1) == b''
    eventually(lambda: served.sockets, WAIT)
    assert 'a connection could not be served' in caplog.text
    close([first, second], served.sockets)


@pytest.mark.parametrize('paused', [False, True])
def test_connections_that_wait_at_the_end_are_served(accept, served, paused):
    listening = listen_at_port('127.0.0.1', 0)
    acceptor = accept(listening, served)
    if paused:
        acceptor.pause()
    clients = connect(listening, 10)
    acceptor.finish()
    assert len(served.sockets) == 10
    served.greet(b'hello')
    assert [client.recv(10) for client in clients] == [b'hello'] * 10
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(clients[0].getpeername(), timeout=WAIT)
    acceptor.finish()
    close(clients)


def test_connections_that_wait_at_the_end_of_a_shared_socket_are_left_to_others(accept, served):
    listening = listen_at_port('127.0.0.1', 0)
    acceptor = accept(ListeningSocket(listening.socket.dup(), shared=True), served)
    acceptor.pause()
    clients = connect(listening, 3)
    acceptor.finish()
    assert served.sockets == []
    accept(listening, served)
    eventually(lambda: len(served.sockets) == 3, WAIT)
    close(clients, served.sockets)


@pytest.fixture
def handshakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Event]:
    """Handshakes that do not end; tells whether a socket has begun to wait for them."""
    waited_for, go_on = Event(), Event()

    def wait(port: int) -> None:
        waited_for.set()
        go_on.wait(WAIT)

    monkeypatch.setattr('lymph.web._serving.listening.await_handshakes', wait)
    yield waited_for
    go_on.set()


def test_socket_is_closed_if_its_end_is_interrupted(accept, served, handshakes):
    listening = listen_at_port('127.0.0.1', 0, reuse_port=True)
    finishing = gevent.spawn(accept(listening, served).finish)
    assert handshakes.wait(WAIT)
    finishing.kill(timeout=WAIT)
    assert listening.socket.fileno() == -1


def test_stop_at_once_closes_the_socket_of_a_drain_that_is_under_way(handshakes):
    listening = listen_at_port('127.0.0.1', 0, reuse_port=True)
    server = WebServer(listening, lambda environ, start_response: [])
    server.start()
    finishing = gevent.spawn(server.finish, WAIT)
    assert handshakes.wait(WAIT)
    assert server.finish(0) == 0
    assert listening.socket.fileno() == -1
    finishing.kill(timeout=WAIT)


def test_no_connection_of_a_shared_port_is_reset_when_one_of_its_sockets_ends(accept):
    one = listen_at_port('127.0.0.1', 0, reuse_port=True)
    port = one.port
    other = listen_at_port('127.0.0.1', port, reuse_port=True)
    shares = [Served(), Served()]
    ending, _ = (accept(*each) for each in zip((one, other), shares, strict=True))
    ending.pause()
    clients = connect(one, 12)
    finishing = gevent.spawn(ending.finish)
    address = '127.0.0.1', port
    late = [gevent.spawn(socket.create_connection, address, timeout=WAIT) for _ in range(12)]
    gevent.joinall([finishing, *late], timeout=WAIT, raise_error=True)
    clients += [each.get(block=False) for each in late]
    eventually(lambda: sum(len(share.sockets) for share in shares) == 24, WAIT)
    for share in shares:
        share.greet(b'hello')
    assert [client.recv(10) for client in clients] == [b'hello'] * 24
    close(clients)
