"""TLS without sockets, between a client of the standard library and the server's side."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.web._serving.certificates import CertificateFiles, read_context
from lymph.web._serving.tls import TlsError, TlsWire

Pair = tuple[Path, Path]


class Client:
    """The client's side; methods return bytes for the server, `read` the plain ones from it."""

    def __init__(self, context: ssl.SSLContext, name: str = 'localhost') -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self.told_of_end = False

    def take(self, data: bytes) -> bytes:
        """Take what the server has sent, and return what follows from it."""
        self._incoming.write(data)
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self._outgoing.read()

    def say(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self._outgoing.read()

    def read(self, data: bytes) -> bytes:
        self._incoming.write(data)
        parts = []
        with suppress(ssl.SSLWantReadError):
            with suppress(ssl.SSLZeroReturnError):
                while part := self.tls.read(100_000):
                    parts.append(part)
            self.told_of_end = True
        return b''.join(parts)

    def close(self) -> bytes:
        with suppress(ssl.SSLError):
            self.tls.unwrap()
        return self._outgoing.read()


@pytest.fixture(scope='module')
def context(pair: Pair) -> ssl.SSLContext:
    return read_context(CertificateFiles(str(pair[0]), str(pair[1])))


@pytest.fixture
def client(trusting: Callable[..., ssl.SSLContext], pair: Pair) -> Client:
    return Client(trusting(pair[0]))


@pytest.fixture
def wire(context: ssl.SSLContext) -> TlsWire:
    return TlsWire(context)


def shake(client: Client, wire: TlsWire) -> None:
    """Let both sides finish the handshake."""
    to_server = client.take(b'')
    while to_server:
        assert wire.feed(to_server) == b''
        to_server = client.take(wire.outgoing())
    assert wire.ready


def test_both_sides_read_what_the_other_sends(client, wire):
    shake(client, wire)
    assert wire.feed(client.say(b'GET / HTTP/1.1')) == b'GET / HTTP/1.1'
    assert client.read(wire.wrap(b'HTTP/1.1 200 OK')) == b'HTTP/1.1 200 OK'
    assert client.tls.getpeercert()['subject'] == ((('commonName', 'one'),),)


def test_long_messages_arrive_whole(client, wire):
    shake(client, wire)
    long = os.urandom(300_000)
    assert wire.feed(client.say(long)) == long
    assert client.read(wire.wrap(memoryview(long))) == long
    assert wire.wrap(b'') == b''


def test_bytes_may_arrive_one_at_a_time(client, wire):
    to_server = client.take(b'')
    while not wire.ready:
        for byte in to_server:
            assert wire.feed(bytes([byte])) == b''
        to_server = client.take(wire.outgoing())
    request = b'GET / HTTP/1.1\r\n'
    assert b''.join(wire.feed(bytes([byte])) for byte in client.say(request)) == request


def test_request_may_come_together_with_the_end_of_the_handshake(client, wire):
    wire.feed(client.take(b''))
    finished = client.take(wire.outgoing())
    assert wire.feed(finished + client.say(b'early')) == b'early'
    assert wire.ready


@pytest.mark.parametrize('version', [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken_and_http_1_1_is_agreed_on(trusting, pair, wire, version):
    offered = trusting(pair[0])
    offered.minimum_version = offered.maximum_version = version
    offered.set_alpn_protocols(['h2', 'http/1.1'])
    client = Client(offered)
    shake(client, wire)
    assert client.tls.selected_alpn_protocol() == 'http/1.1'
    assert client.tls.version() == version.name.replace('_', '.')


def test_version_below_the_minimum_is_refused_with_an_alert(trusting, pair):
    wire = TlsWire(read_context(CertificateFiles(str(pair[0]), str(pair[1]), '1.3')))
    old = trusting(pair[0])
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    client = Client(old)
    with pytest.raises(TlsError, match=r'handshake failed.*unsupported protocol'):
        wire.feed(client.take(b''))
    with pytest.raises(ssl.SSLError, match='PROTOCOL_VERSION'):
        client.take(wire.outgoing())


def test_client_that_does_not_trust_the_certificate_fails_the_handshake(trusting, wire):
    client = Client(trusting())
    wire.feed(client.take(b''))
    with pytest.raises(ssl.SSLCertVerificationError):
        client.take(wire.outgoing())
    with pytest.raises(TlsError, match='unknown ca'):
        wire.feed(client._outgoing.read())


def test_close_of_the_client_is_noticed_and_the_answer_is_still_sent(client, wire):
    shake(client, wire)
    assert wire.feed(client.say(b'last') + client.close()) == b'last'
    assert wire.ended
    assert client.read(wire.wrap(b'answer') + wire.closing()) == b'answer'
    assert client.told_of_end


def test_close_of_the_server_tells_the_client_that_nothing_is_missing(client, wire):
    shake(client, wire)
    assert client.read(wire.wrap(b'all of it') + wire.closing()) == b'all of it'
    assert client.told_of_end
    assert wire.closing() == b''
    assert wire.feed(b'anything') == b''
    with pytest.raises(TlsError):
        wire.wrap(b'more')


def test_nothing_is_sent_for_the_end_of_an_unfinished_handshake(client, wire):
    with pytest.raises(TlsError, match='open TLS connection'):
        wire.wrap(b'answer')
    wire.feed(client.take(b'')[:50])
    assert wire.closing() == b''


@pytest.mark.parametrize('sent', [b'GET / HTTP/1.1\r\nHost: a\r\n\r\n', b'P'])
def test_plain_request_is_answered_in_plain_http(wire, sent):
    with pytest.raises(TlsError, match='plain HTTP'):
        wire.feed(sent)
    head, _, body = wire.outgoing().partition(b'\r\n\r\n')
    assert head.startswith(b'HTTP/1.1 400 Bad Request\r\n')
    assert f'\r\nContent-Length: {len(body)}\r\n'.encode() in head
    assert b'https://' in body
    assert wire.closing() == b''


@pytest.mark.parametrize('sent', [b'\0', b'\x80\x2e\x01', b' GET / HTTP/1.1', b'\r\n'])
def test_bytes_of_no_protocol_are_refused_without_an_answer(wire, sent):
    with pytest.raises(TlsError, match='expected a TLS handshake'):
        wire.feed(sent)
    assert wire.outgoing() == b''
    with pytest.raises(TlsError):
        wire.feed(b'\x16\x03\x01')


def test_changed_record_ends_the_connection(client, wire):
    shake(client, wire)
    record = bytearray(client.say(b'GET / HTTP/1.1'))
    record[-1] ^= 1
    with pytest.raises(TlsError, match='TLS connection failed'):
        wire.feed(bytes(record))
    with pytest.raises(TlsError):
        wire.wrap(b'answer')


def test_client_cannot_make_the_server_repeat_the_handshake(context):
    assert context.options & ssl.OP_NO_RENEGOTIATION


@given(st.binary(min_size=1, max_size=300))
def test_garbage_gives_an_error_or_nothing(context, data):
    wire = TlsWire(context)
    with suppress(TlsError):
        assert wire.feed(b'\x16\x03\x01' + data) == b''
    wire.outgoing()
    assert wire.closing() == b''
