"""What a backdoor and its client send each other: msgpack maps behind their length in four bytes.

The client sends its token first, then one request after another; while code runs it may send
`interrupt`, and nothing else.

=================================== ==============================================================
client                              backdoor
=================================== ==============================================================
``{'token': text}``                 ``{'welcome': text}``, or ``{'refused': text}`` and the end
``{'run': source, 'last': bool}``   any number of ``{'output': text}``, then ``{'done': outcome}``
``{'interrupt': true}``             (raises KeyboardInterrupt in the code that runs)
``{'complete': text}``              ``{'names': [text, ...]}``
=================================== ==============================================================

`outcome` is one of ``ok``, ``failed``, and ``more`` where the source is not complete, which it
always is with `last`.
"""

from __future__ import annotations

from socket import socket
from typing import Any, Final

from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['FAILED', 'LARGEST', 'MORE', 'OK', 'TOKEN_LARGEST', 'receive', 'send']

LARGEST: Final = 4 * 1024 * 1024  # bytes of a message
TOKEN_LARGEST: Final = 1024  # bytes of the first one
OK, FAILED, MORE = 'ok', 'failed', 'more'

_LENGTH: Final = 4  # bytes


def send(sock: socket, message: dict[str, Any]) -> None:
    """Send a message; raises OSError."""
    packed = pack(message)
    sock.sendall(len(packed).to_bytes(_LENGTH, 'big') + packed)


def receive(sock: socket, largest: int = LARGEST) -> dict[str, Any] | None:
    """Return the next message, None at the end.

    Raises OSError, also for a message of more than `largest` bytes and for anything else that is
    none.
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
