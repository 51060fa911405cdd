"""The handshake of two ZMTP peers before the first message: a greeting, then READY.

Source: RFC 23/ZMTP, "Connection greeting" and "The NULL security mechanism"; 37/ZMTP for 3.1.

The greeting has 64 bytes: signature (10), version major and minor (2), mechanism (20), as-server
(1), filler (31). Each part is checked as soon as it arrives, so that a peer with another protocol
is recognised by its first bytes.
"""

from __future__ import annotations

from collections.abc import Mapping

from lymph.core._protocol.zmtp.errors import ProtocolError

__all__ = [
    'GREETING',
    'GREETING_SIZE',
    'check_greeting',
    'encode_ready',
    'minor_version',
    'read_ready',
]

GREETING_SIZE = 64
GREETING = (
    b'\xff' + bytes(7) + b'\x01\x7f'  # signature; the 1 before its last byte is as in libzmq
    b'\x03\x01' + b'NULL'.ljust(20, b'\0') + bytes(1 + 31)
)
_READY = b'\x05READY'
_PARTNERS = {'DEALER': {'ROUTER', 'DEALER', 'REP'}, 'ROUTER': {'DEALER', 'ROUTER', 'REQ'}}


def check_greeting(start: bytes) -> None:
    """Check the bytes of a greeting that have arrived so far.

    Raises ProtocolError if they cannot be the beginning of the greeting of a ZMTP 3 peer with the
    NULL mechanism.
    """
    # the low bit of the tenth byte distinguishes a greeting from the first frame of ZMTP 1.0
    if start[:1] not in (b'', b'\xff') or (len(start) > 9 and not start[9] & 1):
        raise ProtocolError(f'{start[:10]!r}, which is no ZMTP greeting')
    if len(start) > 10 and start[10] < 3:
        raise ProtocolError(f'a greeting of revision {start[10]} (ZMTP 3.0 or later is needed)')
    if len(start) >= 32:
        mechanism = start[12:32].rstrip(b'\0')
        if mechanism != b'NULL':
            raise ProtocolError(f'the security mechanism {mechanism!r} (NULL is needed)')


def minor_version(greeting: bytes) -> int:
    """Return the minor version of the protocol in a complete greeting."""
    return greeting[11]


def encode_ready(socket_type: str) -> bytes:
    """Return the body of the READY command of a socket of this type."""
    return _READY + _property('Socket-Type', socket_type.encode()) + _property('Identity', b'')


def read_ready(body: bytes, socket_type: str) -> Mapping[str, bytes]:
    """Return the properties of a peer's READY command, with names in lower case.

    Raises ProtocolError for an ERROR command, another command, malformed properties, and a socket
    type that is not compatible with `socket_type`, that of this side.
    """
    if body.startswith(b'\x05ERROR'):
        raise ProtocolError(f'ERROR {body[7 : 7 + body[6]] if len(body) > 6 else b""!r}')
    if not body.startswith(_READY):
        raise ProtocolError(f'the command {body[:24]!r} instead of READY')
    properties = {}
    position = len(_READY)
    while position < len(body):
        name, position = _take(body, position, 1)
        value, position = _take(body, position, 4)
        properties[name.decode('latin-1').lower()] = value
    theirs = properties.get('socket-type', b'').decode('latin-1')
    if theirs not in _PARTNERS[socket_type]:
        raise ProtocolError(f'the socket type {theirs!r}, which does not go with {socket_type}')
    return properties


def _property(name: str, value: bytes) -> bytes:
    return bytes((len(name),)) + name.encode() + len(value).to_bytes(4, 'big') + value


def _take(body: bytes, position: int, width: int) -> tuple[bytes, int]:
    """Read a value after its length, a number of `width` bytes; return it and where it ends."""
    start = position + width
    end = start + int.from_bytes(body[position:start], 'big')
    if start > len(body) or end > len(body):
        raise ProtocolError('a READY command that ends within a property')
    return body[start:end], end
