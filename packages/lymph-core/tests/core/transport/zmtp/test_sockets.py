from __future__ import annotations

import socket as constants

from gevent import socket
from gevent.server import StreamServer

from lymph.core.transport._zmtp.sockets import connects_to_itself, prepare


def test_connection_to_itself_is_recognised():
    with socket.socket() as alone:
        alone.bind(('127.0.0.1', 0))
        alone.connect(alone.getsockname())
        assert connects_to_itself(alone)
    server = StreamServer(('127.0.0.1', 0), lambda sock, address: sock.recv(1))
    server.start()
    with socket.create_connection(('127.0.0.1', server.server_port)) as other:
        assert not connects_to_itself(other)
    server.stop()


def test_a_prepared_socket_sends_at_once_and_never_blocks():
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    plain = prepare(ours)  # TCP's options do not fit, which is no reason to fail
    assert plain.getblocking() is False
    assert ours.fileno() == -1
    plain.close()
    theirs.close()
    server = StreamServer(('127.0.0.1', 0), lambda sock, address: sock.recv(1))
    server.start()
    with prepare(socket.create_connection(('127.0.0.1', server.server_port))) as plain:
        assert plain.getsockopt(constants.IPPROTO_TCP, constants.TCP_NODELAY)
        assert plain.getsockopt(constants.SOL_SOCKET, constants.SO_KEEPALIVE)
    server.stop()
