from __future__ import annotations

import errno
import os
import socket
import struct
import time

import pytest

from lymph.core._operations import connections, server
from lymph.core._operations.answers import PortAnswer
from lymph.core._operations.server import PortThread
from lymph.testing.waiting import eventually

REQUEST = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
LAST = b'GET / HTTP/1.0\r\n\r\n'
LARGE = 'a' * 20_000_000


def respond(request):
    return PortAnswer(200, LARGE if request.path == '/large' else f'{request.path}\n')


class Served:
    """A thread that serves, and clients of it; its loop is not needed."""

    def __init__(self):
        listening = socket.create_server(('127.0.0.1', 0), backlog=1024)
        listening.setblocking(False)
        self.address = listening.getsockname()
        self.thread = PortThread(listening, respond)
        self.clients = []

    def connect(self, data=b''):
        client = socket.create_connection(self.address, 20)
        self.clients.append(client)
        client.sendall(data)
        return client

    def get(self, data=LAST):
        """Return all that is answered until the connection is closed."""
        return read_all(self.connect(data))

    def close(self):
        for client in self.clients:
            client.close()
        assert self.thread.close()


def read_all(client):
    return b''.join(iter(lambda: client.recv(65536), b''))


@pytest.fixture
def served():
    served = Served()
    served.thread.start()
    yield served
    served.close()


def trickle(client):
    """Send a byte now and then."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        client.sendall(b'a')
        time.sleep(0.05)


def is_closed(client):
    """Tell whether the server has closed the connection of a client that has sent nothing."""
    client.setblocking(False)
    try:
        return client.recv(1) == b''
    except BlockingIOError:
        return False


def test_a_request_is_answered_and_the_connection_closed(served):
    head, body = served.get().split(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 200 OK\r\n')
    assert body == b'/\n'


def test_a_connection_is_kept_for_more_requests(served):
    client = served.connect()
    for _ in range(3):
        client.sendall(REQUEST)
        assert client.recv(1000).endswith(b'\r\n\r\n/\n')
    client.sendall(LAST)
    assert read_all(client).endswith(b'\r\n\r\n/\n')


def test_thousands_of_requests_sent_at_once_are_answered_one_after_the_other(served):
    client = served.connect()
    client.sendall(b'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n' * 3000 + LAST)
    assert read_all(client).count(b'200 OK') == 3001


def test_a_client_that_sends_no_more_gets_its_answer(served):
    client = served.connect(REQUEST)
    client.shutdown(socket.SHUT_WR)
    assert read_all(client).endswith(b'\r\n\r\n/\n')


@pytest.mark.parametrize(
    ('data', 'status'),
    [
        (b'GET / HTTP/1.1\r\n\r\n', 400),
        (b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'\0' * 500, 400),
        (b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n' + b'a' * 100_000, 405),
        (b'GET /' + b'a' * 200_000, 431),
        (b'GET / HTTP/1.1\r\nHost: a\r\n' + b'a: b\r\n' * 100_000, 431),
    ],
)
def test_a_bad_request_is_answered_and_the_connection_closed(served, data, status):
    answer = served.get(data)
    assert answer.startswith(f'HTTP/1.1 {status} '.encode())
    assert b'Connection: close' in answer


def test_a_head_that_takes_too_long_ends_the_connection(served, monkeypatch):
    monkeypatch.setattr(connections, '_HEAD', 0.3)
    slow, silent = served.connect(b'GET / '), served.connect()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        trickle(slow)
    assert silent.recv(1) == b''
    assert served.get().endswith(b'/\n')


def test_an_idle_connection_ends(served, monkeypatch):
    monkeypatch.setattr(connections, '_IDLE', 0.3)
    assert read_all(served.connect(REQUEST)).endswith(b'/\n')


def test_a_client_that_does_not_read_holds_up_nobody_and_is_closed(served, monkeypatch):
    monkeypatch.setattr(connections, '_SEND', 0.5)
    client = served.connect(b'GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
    assert served.get().endswith(b'/\n')
    eventually(lambda: served.thread._connections == {})
    assert len(read_all(client)) < len(LARGE)
    assert served.get().endswith(b'/\n')


def test_a_large_answer_is_sent_as_the_client_reads(served):
    assert len(served.get(b'GET /large HTTP/1.0\r\n\r\n')) > len(LARGE)


def test_thousands_of_connections_take_a_bounded_number_of_descriptors(served):
    before = len(os.listdir('/proc/self/fd'))
    clients = [served.connect() for _ in range(300)]
    assert served.get().endswith(b'/\n')
    assert len(os.listdir('/proc/self/fd')) <= before + len(clients) + server._MOST + 1
    eventually(lambda: is_closed(clients[0]))
    assert not is_closed(clients[-1])
    for client in clients:
        client.close()
    for _ in range(2000):
        served.connect().close()
    assert served.get().endswith(b'/\n')


def test_the_connection_that_has_been_idle_for_longest_makes_room(served):
    busy = served.connect(REQUEST)
    busy.recv(1000)
    others = []
    for _ in range(3):
        others += [served.connect() for _ in range(server._MOST // 2)]
        assert served.get().endswith(b'/\n')  # those before it have been accepted
        busy.sendall(REQUEST)
        assert busy.recv(1000).endswith(b'/\n')
    eventually(lambda: is_closed(others[0]))


def test_clients_that_reset_their_connections_do_no_harm(served):
    for data in (b'', b'GET', REQUEST, b'GET /large HTTP/1.0\r\n\r\n'):
        client = served.connect(data)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        client.close()
    assert served.get().endswith(b'/\n')
    eventually(lambda: served.thread._connections == {})


def test_an_error_of_an_answer_is_answered_and_the_thread_goes_on(served):
    def fail(request):
        raise KeyError('on purpose')

    served.thread._respond = fail
    assert b'500 Internal Server Error' in served.get()
    served.thread._respond = respond
    assert served.get().endswith(b'/\n')


def test_a_fault_of_the_thread_does_not_end_it(served, monkeypatch):
    monkeypatch.setattr(server, '_PAUSE', 0.1)
    client = served.connect()
    eventually(lambda: served.thread._connections)
    for connection in served.thread._connections.values():
        connection.tick = None
    served.thread.wake()
    assert read_all(client) == b''
    assert served.get().endswith(b'/\n')


def test_when_descriptors_are_used_up_it_goes_on_later(monkeypatch):
    monkeypatch.setattr(server, '_PAUSE', 0.1)
    served = Served()
    real = served.thread._listening

    class Exhausted:
        left = 3

        def _accept(self):
            if self.left:
                self.left -= 1
                raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
            return real._accept()

        def __getattr__(self, name):
            return getattr(real, name)

    served.thread._listening = Exhausted()
    served.thread.start()
    try:
        assert served.get().endswith(b'/\n')
    finally:
        served.close()


def test_a_closed_thread_has_ended_and_holds_no_descriptors():
    before = sorted(os.listdir('/proc/self/fd'))
    served = Served()
    served.thread.start()
    served.connect(REQUEST)
    served.close()
    assert sorted(os.listdir('/proc/self/fd')) == before
