"""The protocol of a backdoor: msgpack maps, each preceded by its length in four bytes, big-endian.

The client sends its token first, then one request after another. While code runs, it may send only
`interrupt`.

=================================== ==============================================================
client                              backdoor
=================================== ==============================================================
``{'token': text}``                 ``{'welcome': text}``, or ``{'refused': text}`` and it closes
``{'run': source, 'last': bool}``   any number of ``{'output': text}``, then ``{'done': outcome}``
``{'interrupt': true}``             nothing; raises EvaluationInterrupted in the running code
``{'complete': text}``              ``{'names': [text, ...]}``
=================================== ==============================================================

`outcome` is ``ok``, ``failed``, or ``more`` if the source is incomplete. With `last` the source is
run as it is, and the outcome is never ``more``.
"""

from __future__ import annotations

from socket import socket
from typing import Any, Final

from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['FAILED', 'LARGEST', 'MORE', 'OK', 'TOKEN_LARGEST', 'receive', 'send']

LARGEST: Final = 4 * 1024 * 1024  # bytes of a message
TOKEN_LARGEST: Final = 1024  # bytes of the first message
OK, FAILED, MORE = 'ok', 'failed', 'more'

_LENGTH: Final = 4  # bytes


def send(sock: socket, message: dict[str, Any]) -> None:
    """Send a message; raises OSError."""
    packed = pack(message)
    sock.sendall(len(packed).to_bytes(_LENGTH, 'big') + packed)


def receive(sock: socket, largest: int = LARGEST) -> dict[str, Any] | None:
    """Return the next message; None when the peer has closed the connection.

    Raises OSError, also for a message of more than `largest` bytes and for bytes that are not a
    msgpack map.
    """
    head = _read(sock, _LENGTH)
    if head is None:
        return None
    size = int.from_bytes(head, 'big')
    if size > largest:
        raise OSError(f'expected a message of at most {largest} bytes, found {size}')
    body = _read(sock, size)
    if body is None:
        return None
    try:
        message = unpack(body)
    except SerializationError as error:
        raise OSError(str(error)) from error
    if not isinstance(message, dict):
        raise OSError('expected a message as a map')
    return message


def _read(sock: socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        part = sock.recv(min(size - len(data), 65536))
        if not part:
            return None
        data += part
    return bytes(data)
