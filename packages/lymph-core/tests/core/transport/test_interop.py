"""libzmq itself, through plain pyzmq, as the other side."""

from __future__ import annotations

import gevent
import pytest
import zmq
from gevent import socket
from gevent.server import StreamServer

from lymph.core.transport.endpoints import split_tcp
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.testing.contracts.transports import RecordingHandler
from lymph.testing.waiting import eventually

MESSAGES = [
    [b'id', b'REQ', b'echo.echo', b'\x80', b'\x81\xa4text\xa1x'],
    [b''],
    [b'', b'', b''],
    [bytes(255), bytes(256), bytes(65_535), bytes(65_536)],
    [b'x' * 5_000_000],
    [b'y'] * 255,
]
HEARTBEATS = {zmq.HEARTBEAT_IVL: 10, zmq.HEARTBEAT_TIMEOUT: 300, zmq.HEARTBEAT_TTL: 300}


class Relay:
    """Relays connections and records their bytes."""

    def __init__(self, endpoint):
        self.to_server = self.to_client = b''
        self.ended = 0  # connections
        self._target = split_tcp(endpoint)
        self._server = StreamServer(('127.0.0.1', 0), self._accept)
        self._server.start()
        self.endpoint = f'tcp://127.0.0.1:{self._server.server_port}'

    def _accept(self, client, address):
        server = socket.create_connection(self._target)
        pumps = [
            gevent.spawn(self._pump, client, server, 'to_server'),
            gevent.spawn(self._pump, server, client, 'to_client'),
        ]
        gevent.joinall(pumps, count=1)
        gevent.killall(pumps)
        server.close()
        self.ended += 1

    def _pump(self, source, sink, name):
        while data := source.recv(65536):
            setattr(self, name, getattr(self, name) + data)
            sink.sendall(data)

    def close(self):
        self._server.stop()


@pytest.fixture
def raw():
    """Make plain sockets of pyzmq; they are used without waiting."""
    context, made = zmq.Context(), []

    def raw(kind, options=()):
        made.append(context.socket(kind))
        for option, value in {zmq.LINGER: 0, **dict(options)}.items():
            made[-1].set(option, value)
        return made[-1]

    yield raw
    for sock in made:
        sock.close()
    context.term()


@pytest.fixture
def transport():
    transport = ZmtpTransport()
    yield transport
    transport.close()


def receive(sock):
    eventually(lambda: sock.poll(0), 10)
    return sock.recv_multipart(zmq.NOBLOCK)


@pytest.mark.parametrize('options', [{}, HEARTBEATS], ids=['', 'heartbeats'])
@pytest.mark.parametrize('identity', [b'', b'me'], ids=['', 'identity'])
def test_libzmq_dealer_can_call_our_listener(transport, raw, options, identity):
    handler = RecordingHandler(echoes=True)
    dealer = raw(zmq.DEALER, {**options, zmq.ROUTING_ID: identity} if identity else options)
    dealer.connect(transport.listen('tcp://127.0.0.1:0', handler).endpoint)
    for message in MESSAGES[:-1]:
        dealer.send_multipart(message)
        assert receive(dealer) == [b'echo', *message]
    for number in range(500):
        dealer.send_multipart([b'%d' % number] * 5)
    for number in range(500):
        assert receive(dealer) == [b'echo', *[b'%d' % number] * 5]
    assert len(handler.ups) == 1
    dealer.close()
    eventually(lambda: len(handler.downs) == 1, 10)
    assert handler.violations == []


@pytest.mark.parametrize('options', [{}, HEARTBEATS], ids=['', 'heartbeats'])
def test_our_link_can_call_a_libzmq_router(transport, raw, options):
    router, handler = raw(zmq.ROUTER, options), RecordingHandler()
    port = router.bind_to_random_port('tcp://127.0.0.1')
    link = transport.connect(f'tcp://127.0.0.1:{port}', handler)
    eventually(lambda: link.up, 10)
    for message in MESSAGES:
        link.send(message)
        caller, *frames = receive(router)
        assert frames == message
        router.send_multipart([caller, *message])
        eventually(lambda: handler.messages, 10)
        assert handler.messages.pop() == message
    router.close()
    eventually(lambda: handler.lost == [link], 10)
    assert handler.violations == []


def test_heartbeats_of_libzmq_are_answered_in_time(transport, raw):
    handler = RecordingHandler(echoes=True)
    relay = Relay(transport.listen('tcp://127.0.0.1:0', handler).endpoint)
    dealer = raw(zmq.DEALER, HEARTBEATS)
    dealer.connect(relay.endpoint)
    eventually(lambda: relay.to_client.count(b'\x04PONG') > 50, 10)  # longer than its patience
    assert relay.to_server.count(b'\x04PING') > 50
    dealer.send_multipart([b'x', b'y'])
    assert receive(dealer) == [b'echo', b'x', b'y']
    assert len(handler.ups) == 1
    assert handler.downs == []
    relay.close()


def test_our_heartbeats_are_answered_by_libzmq(raw):
    transport = ZmtpTransport(heartbeat_interval=0.02, unresponsive_timeout=0.2)
    router, handler = raw(zmq.ROUTER), RecordingHandler()
    relay = Relay(f'tcp://127.0.0.1:{router.bind_to_random_port("tcp://127.0.0.1")}')
    link = transport.connect(relay.endpoint, handler)
    eventually(lambda: relay.to_client.count(b'\x04PONG') > 30, 10)
    assert link.up
    assert handler.downs == []
    transport.close()
    relay.close()


@pytest.mark.parametrize('kind', [zmq.PUB, zmq.PULL, zmq.REP])
def test_socket_of_another_type_is_refused(transport, raw, kind):
    handler = RecordingHandler()
    other = raw(kind)
    relay = Relay(transport.listen('tcp://127.0.0.1:0', handler).endpoint)
    other.connect(relay.endpoint)
    eventually(lambda: relay.ended, 10)
    assert handler.ups == []
    relay.close()
