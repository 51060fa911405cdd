from __future__ import annotations

import socket as constants

import pytest
from gevent import socket
from gevent.server import StreamServer

from lymph.core._protocol.zmtp.frames import encode_message
from lymph.core._protocol.zmtp.session import ZmtpSession
from lymph.core.transport.endpoints import split_tcp
from lymph.core.transport.zmtp import ZmtpTransport


class Peer:
    """The other side of a link, byte by byte; it does only what the test says."""

    def __init__(self, sock, socket_type='DEALER'):
        sock.settimeout(30)
        self.socket = sock
        self.received = b''
        self.session = ZmtpSession(socket_type, 2**30)
        self._messages = []

    def send(self, data):
        self.socket.sendall(data)

    def send_message(self, *frames):
        self.send(encode_message(frames))

    def shake_hands(self):
        self.send(self.session.opening())
        while not self.session.ready:
            self._read()
        return self

    def receive(self):
        """Return the next message; raises EOFError if the link is closed."""
        while not self._messages:
            self._read()
        return self._messages.pop(0)

    def read_until(self, words):
        while words not in self.received:
            self._read()

    def read_to_the_end(self):
        try:
            while True:
                self._read()
        except (EOFError, ConnectionResetError):
            return

    def close(self):
        self.socket.close()

    def _read(self):
        data = self.socket.recv(65536)
        if not data:
            raise EOFError
        self.received += data
        self._messages += self.session.receive(data)


@pytest.fixture
def transport():
    """Make ZMTP transports, which are closed after the test."""
    made = []

    def transport(**options):
        made.append(ZmtpTransport(**options))
        return made[-1]

    yield transport
    for one in made:
        one.close()


@pytest.fixture
def peer():
    """Connect peers to an endpoint."""
    made = []

    def peer(endpoint, small_buffers=False):
        sock = socket.socket()
        if small_buffers:
            sock.setsockopt(constants.SOL_SOCKET, constants.SO_RCVBUF, 65536)
        sock.connect(split_tcp(endpoint))
        made.append(Peer(sock))
        return made[-1]

    yield peer
    for one in made:
        one.close()


@pytest.fixture
def listening_peer():
    """Listen as a peer: `behave(peer)` runs for each connection, with a ROUTER's session."""
    servers = []

    def listening_peer(behave):
        def serve(sock, address):
            behave(Peer(sock, 'ROUTER'))

        servers.append(StreamServer(('127.0.0.1', 0), serve))
        servers[-1].start()
        return f'tcp://127.0.0.1:{servers[-1].server_port}'

    yield listening_peer
    for server in servers:
        server.stop()
