"""Conversations with a listener of ZMTP that break its rules.

Each is a name and the bytes of one connection. A listener has to survive all of them and to serve
others meanwhile; it may close the connection or not. They are also seeds for fuzzers.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from lymph.core._protocol.zmtp.frames import encode_command, encode_message
from lymph.core._protocol.zmtp.handshake import GREETING, encode_ready

__all__ = ['OPENING', 'conversations', 'zmtp_1', 'zmtp_2']

#: Greeting and READY of a correct caller.
OPENING = GREETING + encode_command(encode_ready('DEALER'))

_REQUEST = encode_message([b'1', b'REQ', b'no.such', b'\x80', b'\x80'])


def zmtp_1(identity: bytes = b'') -> bytes:
    """Return the first bytes of a peer of ZMTP 1.0; the length of its frames includes the flags."""
    return bytes((len(identity) + 1, 0)) + identity


def zmtp_2(identity: bytes = b'', socket_type: int = 5) -> bytes:
    """Return the first bytes of a peer of ZMTP 2.0; socket type 5 is a DEALER."""
    return GREETING[:10] + bytes((1, socket_type, 0, len(identity))) + identity


def conversations() -> Iterator[tuple[str, bytes]]:
    """Yield names and bytes; the longest conversations have a few megabytes."""
    yield from _greetings()
    yield from _readies()
    for name, rest in (*_commands(), *_frames(), *_floods()):
        yield name, OPENING + rest
    chance = random.Random(4123)
    yield 'noise', chance.randbytes(100_000)
    yield 'noise after the opening', OPENING + chance.randbytes(100_000)
    for number in range(20):
        yield f'a broken opening {number}', _broken(chance, OPENING + _REQUEST * 3)


def _greetings() -> Iterator[tuple[str, bytes]]:
    yield 'nothing', b''
    yield 'half a greeting', GREETING[:30]
    yield 'HTTP', b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    yield 'TLS', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + bytes(500)
    yield 'ZMTP 1.0', zmtp_1() + b'\x02\x00x' * 1000
    yield 'ZMTP 1.0 with an identity', zmtp_1(b'me') + b'\x02\x00x' * 1000
    yield 'ZMTP 1.0 with a long frame', zmtp_1() + b'\xff' + bytes(7) + b'\x02\x00x'
    for kind in range(12):
        yield f'ZMTP 2.0 of socket type {kind}', zmtp_2(b'', kind) + encode_message([b'x'] * 5)
    yield 'ZMTP 2.0 with an identity', zmtp_2(bytes(255)) + encode_message([b'x']) * 1000
    yield 'ZMTP 2.0 with an id of libzmq', zmtp_2(b'\0\0\0\0\1') + encode_message([b'x'])
    for version in (0, 2, 4, 255):
        yield f'ZMTP {version}', GREETING[:10] + bytes((version,)) + OPENING[11:] + _REQUEST
    for name in (b'CURVE', b'PLAIN', b'GSSAPI', b'null', b'', b'NULL\0x', b'\xff' * 20):
        mechanism = GREETING[:12] + name.ljust(20, b'\0') + GREETING[32:]
        yield f'the mechanism {name!r}', mechanism + encode_command(b'\x05HELLO\x01a\x01b')
    yield 'a peer that is a server', GREETING[:32] + b'\x01' + OPENING[33:] + _REQUEST
    yield 'a filler that is none', GREETING[:33] + b'\xff' * 31 + OPENING[64:] + _REQUEST


def _readies() -> Iterator[tuple[str, bytes]]:
    kind = _property(b'Socket-Type', b'DEALER')
    bodies = {
        'no properties': b'',
        '10,000 properties': kind + _property(b'a', b'') * 10_000,
        '1,000 properties of one name': kind + _property(b'X-a', b'b') * 1000,
        'a property without a name': kind + _property(b'', b'x'),
        'a long name': kind + _property(b'n' * 255, b'x'),
        'an odd name': kind + _property(bytes(range(128, 255)), b'x'),
        'an odd value': kind + _property(b'Identity', bytes(range(256))),
        'an identity of an id of libzmq': kind + _property(b'Identity', b'\0\0\0\0\1'),
        'a long identity': kind + _property(b'Identity', b'i' * 60_000),
        'a name that is cut': kind + b'\xffname',
        'a value that is cut': kind + b'\x04name\xff\xff\xff\xffvalue',
        'a value without end': kind + b'\x04name\x7f\xff\xff\xff',
        'two socket types': kind + _property(b'socket-type', b'PUB'),
        'a socket type that is none': _property(b'Socket-Type', b'\xff' * 60_000),
        '65,536 bytes': kind + _property(b'X', bytes(65_536 - 6 - len(kind) - 6)),
        '65,537 bytes': kind + _property(b'X', bytes(65_536 - 6 - len(kind) - 5)),
        'a megabyte': kind + _property(b'X', bytes(1_000_000)),
    }
    for name, body in bodies.items():
        yield f'READY with {name}', GREETING + encode_command(b'\x05READY' + body) + _REQUEST
    for theirs in (b'ROUTER', b'REQ', b'REP', b'PUB', b'SUB', b'PAIR', b'dealer', b''):
        body = b'\x05READY' + _property(b'Socket-Type', theirs)
        yield f'READY of {theirs!r}', GREETING + encode_command(body) + _REQUEST
    yield 'a message before READY', GREETING + _REQUEST
    yield 'another command before READY', GREETING + encode_command(b'\x04PING\0\0') + _REQUEST
    yield 'an ERROR before READY', GREETING + encode_command(b'\x05ERROR\x03why')
    yield 'an ERROR without a reason', GREETING + encode_command(b'\x05ERROR')
    yield 'an ERROR that is cut', GREETING + encode_command(b'\x05ERROR\xffwhy')
    yield 'READY twice', OPENING + OPENING[64:] + _REQUEST


def _commands() -> Iterator[tuple[str, bytes]]:
    ping = b'\x04PING\x00\x0a'
    yield 'an ERROR', encode_command(b'\x05ERROR\x03why') + _REQUEST
    yield 'a PING without a TTL', encode_command(b'\x04PING') + _REQUEST
    yield 'a PING with a context', encode_command(ping + bytes(16)) + _REQUEST
    yield 'a PING with a long context', encode_command(ping + bytes(17)) + _REQUEST
    yield 'a PING of 70 KB', encode_command(ping + bytes(70_000)) + _REQUEST
    yield 'a PONG that nobody asked for', encode_command(b'\x04PONG' + bytes(300)) + _REQUEST
    yield '100,000 PINGs', encode_command(ping) * 100_000 + _REQUEST
    yield 'an empty command', b'\x04\x00' + _REQUEST
    yield '100,000 empty commands', b'\x04\x00' * 100_000 + _REQUEST
    yield 'an unknown command', encode_command(b'\x06DANCE!' + bytes(1000)) + _REQUEST
    yield 'a subscription', encode_command(b'\x09SUBSCRIBEx') + b'\x00\x02\x01x' + _REQUEST
    yield 'a command of many', b'\x05\x05\x04PING' + _REQUEST
    yield 'a command without end', b'\x06' + b'\xff' * 8 + b'x'
    yield 'a command in a message', b'\x01\x01a' + encode_command(ping) + b'\x00\x01b'


def _frames() -> Iterator[tuple[str, bytes]]:
    for flags in (0x08, 0x10, 0x80, 0xF8, 0xFF):
        yield f'the flags 0x{flags:02x}', bytes((flags,)) + b'\x05hello'
    yield 'a short message as a long one', b'\x02' + bytes(7) + b'\x01x' + _REQUEST
    yield '255 frames', encode_message([b''] * 255) + _REQUEST
    yield '256 frames', encode_message([b''] * 256) + _REQUEST
    yield '2,000 frames', encode_message([b'x'] * 2000) + _REQUEST
    for size in (2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f'a frame of {size} bytes', b'\x02' + size.to_bytes(8, 'big') + bytes(1000)
        yield f'a frame of {size} bytes, with more', b'\x03' + size.to_bytes(8, 'big') + b'x'
    yield 'a message that is cut', encode_message([b'x', bytes(1000)])[:-1]
    yield 'a size that is cut', b'\x02\x00\x00'


def _floods() -> Iterator[tuple[str, bytes]]:
    yield '300,000 empty frames in one message', b'\x01\x00' * 300_000 + b'\x00\x00' + _REQUEST
    yield '300,000 empty messages', b'\x00\x00' * 300_000 + _REQUEST
    yield 'frames without end', encode_message([bytes(60_000), b''])[:-2] * 100
    yield '20,000 requests', _REQUEST * 20_000
    yield '20,000 requests of nothing', encode_message([b'', b'REQ', b'', b'', b'']) * 20_000


def _property(name: bytes, value: bytes) -> bytes:
    return bytes((len(name),)) + name + len(value).to_bytes(4, 'big') + value


def _broken(chance: random.Random, data: bytes) -> bytes:
    broken = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        broken[chance.randrange(len(broken))] = chance.randrange(256)
    return bytes(broken[: chance.randint(10, len(broken))])
