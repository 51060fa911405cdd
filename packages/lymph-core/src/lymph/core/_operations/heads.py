"""The heads of HTTP requests, without a socket: what is not exactly as RFC 9112 says is refused.

Only GET and HEAD are answered, so no request has a body.

========================  =================================================================
what is found             outcome of `read_head`
========================  =================================================================
no empty line yet         None; a `BadHead` with 431 once there are more than `LONGEST` bytes
a valid head              `OperationsRequest`, and the number of bytes that it takes
anything else             `BadHead` with the status to answer; the connection is closed then
========================  =================================================================
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lymph.config.printable import quoted

__all__ = ['LONGEST', 'BadHead', 'OperationsRequest', 'read_head']

LONGEST: Final = 8192  # bytes of a head
_MOST_FIELDS: Final = 100

_END: Final = b'\r\n\r\n'
_TOKEN: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_TARGET: Final = re.compile(rb'[\x21-\x7e]+')
_VERSION: Final = re.compile(rb'HTTP/([0-9])\.([0-9])')
_VALUE: Final = re.compile(rb'[\t\x20-\x7e\x80-\xff]*')
_ABSOLUTE: Final = re.compile(r'https?://[^/?#]*', re.IGNORECASE)


class OperationsRequest(NamedTuple):
    """A request; `path` and `query` are as they were sent. `accept` is None if it was not sent."""

    method: str
    path: str
    query: str
    accept: str | None
    keep_alive: bool

    @property
    def verbose(self) -> bool:
        """Whether details are asked for: ``?verbose``, with any value."""
        return any(each.partition('=')[0] == 'verbose' for each in self.query.split('&'))


class BadHead(Exception):
    """A head that is refused, with the status to answer and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def read_head(data: bytes) -> tuple[OperationsRequest, int] | None:
    """Return the request at the beginning of `data` and its length, None if it is incomplete.

    Raises BadHead.
    """
    # one empty line before a request is ignored, as RFC 9112 2.2 recommends
    start = 2 if data.startswith(b'\r\n') else 0
    end = data.find(_END, start, start + LONGEST)
    if end < 0:
        if len(data) - start >= LONGEST:
            raise BadHead(431, f'expected a head of less than {LONGEST} bytes')
        _check_beginning(data[start:])
        return None
    first, *lines = data[start:end].split(b'\r\n')
    if len(lines) > _MOST_FIELDS:
        raise BadHead(431, f'expected at most {_MOST_FIELDS} header fields, found {len(lines)}')
    method, target, minor = _request_line(first)
    fields = _fields(lines)
    _expect_no_body(fields)
    if minor == 1 and len(fields.get('host', ())) != 1:
        raise BadHead(400, 'expected one header field Host')
    path, _, query = target.partition('?')
    accept = ','.join(fields['accept']) if 'accept' in fields else None
    request = OperationsRequest(method, path, query, accept, _keeps_alive(minor, fields))
    return request, end + len(_END)


def _check_beginning(data: bytes) -> None:
    """Raise BadHead for what cannot become a head, as a TLS handshake or an endless word."""
    line, newline, _ = data.partition(b'\n')
    if newline and not line.endswith(b'\r'):
        raise BadHead(400, 'expected lines that end in CR LF')
    if line.rstrip(b'\r') and not _TARGET.match(line):
        raise BadHead(400, f'expected an HTTP request, found {quoted(line[:40])}')


def _request_line(line: bytes) -> tuple[str, str, int]:
    """Return the method, the target without an authority, and the minor version."""
    words = line.split(b' ')
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not _TARGET.fullmatch(words[1]):
        raise BadHead(400, f'expected METHOD TARGET VERSION, found {quoted(line[:100])}')
    version = _VERSION.fullmatch(words[2])
    if version is None:
        raise BadHead(400, f'expected HTTP/1.1, found {quoted(words[2][:20])}')
    if version[1] != b'1':
        raise BadHead(505, f'expected HTTP/1.1, found {words[2].decode()}')
    method = words[0].decode()
    if method not in ('GET', 'HEAD'):
        raise BadHead(405, f'expected GET or HEAD, found {quoted(method)}')
    target = _ABSOLUTE.sub('', words[1].decode(), count=1) or '/'
    if not target.startswith(('/', '?')):
        raise BadHead(400, f'expected a path, found {quoted(target[:100])}')
    return method, target, int(version[2])


def _fields(lines: list[bytes]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(b':')
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise BadHead(400, f'expected NAME: VALUE, found {quoted(line[:100])}')
        fields.setdefault(name.decode().lower(), []).append(value.decode('latin-1').strip(' \t'))
    return fields


def _expect_no_body(fields: dict[str, list[str]]) -> None:
    lengths = fields.get('content-length', ())
    if 'transfer-encoding' in fields or any(length != '0' for length in lengths):
        raise BadHead(400, 'expected a request without a body')


def _keeps_alive(minor: int, fields: dict[str, list[str]]) -> bool:
    options = {
        option.strip().lower()
        for value in fields.get('connection', ())
        for option in value.split(',')
    }
    return 'close' not in options and (minor >= 1 or 'keep-alive' in options)
