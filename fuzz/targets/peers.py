"""Peers that connect to a service and send what they like, over ZMTP and in whole messages."""

from __future__ import annotations

import socket
from contextlib import suppress
from random import Random
from typing import ClassVar

from fuzz.findings import Finding
from fuzz.generate import hostile_msgpack, hostile_text, mutated
from fuzz.standing import Standing
from lymph.config.printable import quoted
from lymph.core._protocol.zmtp.frames import FrameDecoder, encode_command, encode_message
from lymph.core._protocol.zmtp.handshake import GREETING, encode_ready
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['Bytes', 'Messages', 'MessagesOverZeromq', 'OverZeromq']

_ANSWER = 10.0  # seconds; a service that is busy with an attack is given time
_OPENING = GREETING + encode_command(encode_ready('DEALER'))
_REQUEST = [b'id', b'REQ', b'probe.echo', pack({'timeout': 60}), pack({'value': 1})]
_CORPUS = [
    _OPENING + encode_message(_REQUEST),
    # ZMTP 2.0 and 1.0, and a peer that wants to be encrypted
    b'\xff' + bytes(7) + b'\x01\x7f\x01\x05\x00\x00' + b'\x00\x05hello',
    b'\x01\x00' + b'\x06\x00hello',
    GREETING.replace(b'NULL', b'CURV') + encode_command(encode_ready('DEALER')),
    _OPENING + encode_command(b'\x04PING\x00\x0a' + b'context') + encode_message(_REQUEST),
    _OPENING + encode_command(b'\x05ERROR\x03why'),
    _OPENING + encode_message([b''] * 255),
    _OPENING + b'\x01\x00' * 300,
    _OPENING + b'\x03' + (2**63 - 1).to_bytes(8, 'big') + b'x',
    _OPENING + b'\x02' + (2**32).to_bytes(8, 'big'),
    _OPENING + b'\xf8\x05hello',
    _OPENING * 2,
    b'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
    b'',
]


class Bytes:
    """Whole conversations of ZMTP, broken."""

    transport: ClassVar[str] = 'zmtp'
    _ROUND = 20  # conversations between two looks at the service

    def __init__(self) -> None:
        self._standing = Standing(self.transport)
        self._sent = self._done = 0

    def attack(self, chance: Random) -> None:
        """Have one conversation; the service has to go on and serve others."""
        data = chance.choice(_CORPUS)
        if chance.random() < 0.9:
            data = mutated(chance, data, _CORPUS)
        address = self._standing.host, self._standing.rpc_port
        with suppress(OSError), socket.create_connection(address, _ANSWER) as peer:
            cut = chance.randint(0, len(data))
            peer.sendall(data[:cut])
            peer.sendall(data[cut:])
            if chance.random() < 0.2:
                peer.settimeout(0.02)
                peer.recv(100_000)
            if chance.random() < 0.2:  # leave with a reset
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b'\1\0\0\0\0\0\0\0')
        self._sent += len(data)
        self._done += 1
        if self._done % self._ROUND == 0:
            self._standing.check(self._sent)
            self._sent = 0

    def close(self) -> None:
        """End the service and see what it is left with."""
        self._standing.close()


class OverZeromq(Bytes):
    """The same against libzmq."""

    transport = 'zeromq'


class Messages:
    """Messages of five frames with anything in them: each request is answered exactly once."""

    transport: ClassVar[str] = 'zmtp'
    _ROUND = 20

    def __init__(self) -> None:
        self._standing = Standing(self.transport)
        self._peer = self._connect()
        self._decoder = FrameDecoder(64 * 1024 * 1024)
        self._sent = self._done = 0

    def attack(self, chance: Random) -> None:
        """Send one request and read its answer."""
        self._done += 1
        id = b'%d' % self._done
        frames = [id, b'REQ', _subject(chance), _headers(chance), hostile_msgpack(chance)]
        self._sent += sum(map(len, frames))
        if self._sent > 3_000_000:
            frames[4] = b'\x80'
        if chance.random() < 0.1:  # nobody answers it
            given_up = chance.choice([id, b'%d' % (self._done - 1), _subject(chance)])
            cancel = [b'c', b'CANCEL', given_up, _headers(chance), b'']
            self._sent += sum(map(len, cancel))
            self._peer.sendall(encode_message(cancel))
        self._peer.sendall(encode_message(frames))
        answers = self._read(frames)
        if len(answers) != 1 or len(answers[0]) != 5 or answers[0][2] != id:
            raise Finding(f'{quoted(frames, 500)} was answered by {quoted(answers, 300)}')
        with suppress(SerializationError):
            body = unpack(answers[0][4])
            if answers[0][1] == b'NACK' and isinstance(body, dict) and len(str(body)) > 4000:
                raise Finding(f'{quoted(frames, 300)} is quoted at length: {len(str(body))}')
        if self._done % self._ROUND == 0:
            self._standing.check(self._sent)
            self._sent = 0

    def close(self) -> None:
        """End the service and see what it is left with."""
        self._peer.close()
        self._standing.close()

    def _connect(self) -> socket.socket:
        peer = socket.create_connection((self._standing.host, self._standing.rpc_port), _ANSWER)
        peer.sendall(GREETING)
        file = peer.makefile('rb', buffering=0)
        _exactly(file, len(GREETING))
        peer.sendall(encode_command(encode_ready('DEALER')))
        _exactly(file, _exactly(file, 2)[1])
        return peer

    def _read(self, frames: list[bytes]) -> list[list[bytes]]:
        answers: list[list[bytes]] = []
        while not answers:
            try:
                data = self._peer.recv(1_000_000)
            except TimeoutError:
                raise Finding(f'{quoted(frames, 500)} was not answered') from None
            if not data:
                raise Finding(f'{quoted(frames, 500)} ended the connection')
            answers += self._decoder.feed(data)
        return answers


class MessagesOverZeromq(Messages):
    """The same against libzmq."""

    transport = 'zeromq'


def _exactly(file: object, size: int) -> bytes:
    data = b''
    while len(data) < size:
        part = file.read(size - len(data))  # type: ignore[attr-defined]  # a raw file
        if not part:
            raise Finding('the service hung up on a greeting')
        data += part
    return data


def _subject(chance: Random) -> bytes:
    usual = [b'probe.echo', b'probe.report', b'probe.nothing', b'lymph.ping', b'lymph.inspect']
    odd = [b'', b'.', b'a' * 300, b'\xff\xfe', b'probe.' + b'x' * 100_000, b'lymph.change_loglevel']
    odd.append(hostile_text(chance).encode(errors='surrogatepass'))
    return chance.choice([*usual, *odd, mutated(chance, b'probe.echo')])


def _headers(chance: Random) -> bytes:
    if chance.random() < 0.5:
        return pack({'timeout': 60})
    if chance.random() < 0.5:
        return hostile_msgpack(chance)
    odd: list[object] = [
        None,
        True,
        -1,
        0,
        1e308,
        float('nan'),
        2**63,
        [],
        {},
        'x' * 200,
        'a\nb',
        '1.2.3.4',
        '1',
    ]
    names = ['timeout', 'version', 'trace_id', 'other']
    return pack({chance.choice(names): chance.choice(odd) for _ in range(3)})
