"""The answers of the operations port as bytes."""

from __future__ import annotations

from email.utils import formatdate
from http import HTTPStatus
from typing import Final, NamedTuple

__all__ = ['JSON', 'TEXT', 'PortAnswer', 'as_bytes']

TEXT: Final = 'text/plain; charset=utf-8'
JSON: Final = 'application/json'


class PortAnswer(NamedTuple):
    """An answer; `body` is text in UTF-8."""

    status: int
    body: str
    content_type: str = TEXT


def as_bytes(answer: PortAnswer, *, head_only: bool, keep_alive: bool, now: float) -> bytes:
    """Return an answer as it is sent; `head_only` leaves out the body, as HEAD wants it.

    `now` is a Unix time.
    """
    body = answer.body.encode(errors='backslashreplace')
    lines = [
        f'HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}',
        f'Date: {formatdate(now, usegmt=True)}',
        f'Content-Type: {answer.content_type}',
        f'Content-Length: {len(body)}',
        'Cache-Control: no-store',
        'X-Content-Type-Options: nosniff',
    ]
    if answer.status == HTTPStatus.METHOD_NOT_ALLOWED:
        lines.append('Allow: GET, HEAD')
    lines.append('Connection: keep-alive' if keep_alive else 'Connection: close')
    return ('\r\n'.join(lines) + '\r\n\r\n').encode() + (b'' if head_only else body)
