from __future__ import annotations

import pytest
from gevent import socket

from lymph.core._protocol.zmtp.frames import encode_command, encode_message
from lymph.core._protocol.zmtp.handshake import GREETING, encode_ready
from lymph.core.transport._zmtp import transport as zmtp_transport
from lymph.testing.contracts.transports import RecordingHandler, open_descriptors
from lymph.testing.waiting import eventually, let_pass

READY = encode_command(encode_ready('ROUTER'))

STRANGERS = [
    (b'HTTP/1.1 400 Bad Request\r\n\r\n', 'no ZMTP greeting'),
    (b'SSH-2.0-OpenSSH_9.6\r\n', 'no ZMTP greeting'),
    (b'\x01\x00\x01\x00', 'no ZMTP greeting'),
    (GREETING[:10] + b'\x01\x05', 'a greeting of revision 1'),
    (GREETING[:12] + b'CURVE'.ljust(20, b'\0') + GREETING[32:], "the security mechanism b'CURVE'"),
    (GREETING + encode_message([b'x']), 'a message before its READY'),
    (GREETING + encode_command(b'\x05ERROR\x08Go away!'), "ERROR b'Go away!'"),
    (GREETING + encode_command(encode_ready('PUB')), "the socket type 'PUB'"),
    (GREETING + b'\x06\x00\x00\x00\x00\x80\x00\x00\x00', 'a command of 2147483648 bytes'),
]


@pytest.fixture
def call(transport):
    """Connect to an endpoint and return the reason why the link goes down."""

    def call(endpoint, **options):
        handler = RecordingHandler()
        link = transport(**options).connect(endpoint, handler)
        eventually(lambda: handler.downs, 10)
        assert handler.ups == []
        assert handler.lost == [link]
        assert handler.violations == []
        return handler.downs[0][1]

    return call


@pytest.mark.parametrize(('words', 'reason'), STRANGERS)
def test_caller_names_what_answers_instead_of_a_service(call, listening_peer, words, reason):
    def answer(peer):
        peer.send(words)
        peer.read_to_the_end()

    assert reason in call(listening_peer(answer))


@pytest.mark.parametrize(('words', 'reason'), STRANGERS)
def test_service_disconnects_peers_of_other_protocols_at_once(transport, peer, words, reason):
    handler = RecordingHandler()
    listener = transport().listen('tcp://127.0.0.1:0', handler)
    stranger = peer(listener.endpoint)
    stranger.send(words)
    stranger.read_to_the_end()
    assert handler.ups == handler.messages == []


@pytest.mark.parametrize(
    'words', [b'', GREETING[:1], GREETING[:40], GREETING, GREETING + READY[:9]]
)
def test_peer_that_stops_within_its_handshake_is_disconnected(call, listening_peer, words):
    def answer(peer):
        peer.send(words)
        peer.read_to_the_end()

    reason = call(listening_peer(answer), handshake_timeout=0.1)
    assert reason == 'no ZMTP handshake from the peer within 0.1 s'


def test_handshake_timeout_is_not_extended_by_each_byte(call, listening_peer):
    def answer(peer):
        for byte in GREETING:
            peer.send(bytes((byte,)))
            let_pass(0.05, 'a peer that is slow, but not silent')

    reason = call(listening_peer(answer), handshake_timeout=0.2)
    assert reason == 'no ZMTP handshake from the peer within 0.2 s'


def test_service_disconnects_peers_that_send_nothing(transport, peer):
    handler = RecordingHandler()
    one = transport(handshake_timeout=0.1)
    listener = one.listen('tcp://127.0.0.1:0', handler)
    descriptors = open_descriptors()
    silent = [peer(listener.endpoint) for _ in range(50)]
    for sock in silent:
        sock.read_to_the_end()
        sock.close()
    eventually(lambda: open_descriptors() <= descriptors, 10)
    # The handler is not told of links that never came up.
    assert handler.ups == []
    peer(listener.endpoint).shake_hands()
    eventually(lambda: len(handler.ups) == 1, 10)


@pytest.mark.parametrize(
    ('endpoint', 'reason'),
    [
        ('tcp://127.0.0.1:1', 'connection failed: Connection refused'),
        ('tcp://no-such-host.invalid:1', 'connection failed: '),
        (f'tcp://{"x" * 64}.invalid:1', 'connection failed: '),
        ('tcp://a..b:1', 'connection failed: '),
    ],
)
def test_unreachable_peers_differ_from_peers_that_do_not_answer(call, endpoint, reason):
    assert call(endpoint).startswith(reason)


def test_connection_to_itself_is_rejected(call, monkeypatch):
    # If no process listens at a port, the kernel may use it as the source port of the caller.
    def connect_to_itself(address, timeout):
        sock = socket.socket()
        sock.bind(('127.0.0.1', 0))
        sock.connect(sock.getsockname())
        return sock

    monkeypatch.setattr(zmtp_transport, 'create_connection', connect_to_itself)
    assert call('tcp://127.0.0.1:40000') == 'connection failed: Connection refused'
