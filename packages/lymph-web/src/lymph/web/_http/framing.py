"""How a client finds the end of an answer's body (RFC 9112, section 6).

=========  ==============================================  =====================================
form       when                                            the body
=========  ==============================================  =====================================
NOTHING    HEAD; status 1xx, 204, 304                      none, whatever the application gives
LENGTH     its length is known                             that many bytes
CHUNKED    HTTP/1.1                                        chunks, and one of size 0
CLOSE      HTTP/1.0                                        all bytes up to the end of the connection
=========  ==============================================  =====================================

Only the server sets fields that concern the connection (RFC 9110, section 7.6.1): those of an
application are dropped, but its ``Connection: close`` closes the connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from lymph.web._http.dates import DateLine
from lymph.web._http.opening import AnswerError, Opening

__all__ = ['SENT_WHOLE', 'Framing', 'whole_answer']

_NOTHING, _LENGTH, _CHUNKED, _CLOSE = 'nothing', 'length', 'chunked', 'close'

_HOP_BY_HOP = frozenset(
    ('connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding')
)
_DECISIVE = _HOP_BY_HOP | {'date'}  # fields that the head of an answer depends on
_FIELD_LINE = ': '.join


class Framing:
    """The frame around one answer, whose status and fields are in `opening`.

    `length` is the size of the body in bytes if the application returns all of it at once. The
    attribute `closes` says whether the connection closes after the answer: if `close` is true, if
    the application asks for it, and if nothing else marks the end of the body.
    """

    __slots__ = ('_form', '_left', '_opening', '_unexpected', '_version', 'closes', 'takes_body')

    def __init__(
        self, opening: Opening, method: str, version: str, length: int | None, close: bool
    ) -> None:
        self._opening = opening
        self._version = version
        code = opening.code
        if opening.length is not None:
            length = opening.length
        if method == 'HEAD' or code < 200 or code == 204 or code == 304:
            form = _NOTHING
        elif length is not None:
            form = _LENGTH
        else:
            form = _CLOSE if version == 'HTTP/1.0' else _CHUNKED
        self._form = form
        #: whether anything is to be sent after the head
        self.takes_body = form is not _NOTHING
        # a body would be a mistake, unless the answer is that to GET without its body
        self._unexpected = form is _NOTHING and method != 'HEAD'
        self._left = length or 0
        # after a status of 1xx the client waits for a second answer, which never comes
        self.closes = (
            close
            or form is _CLOSE
            or code < 200
            or ('connection' in opening.names and _asks_to_close(opening))
        )

    def head(self, date: Callable[[], str] | None = None) -> bytes:
        """Return the status line and all header fields, with the empty line behind them.

        `date` returns the line of Date, which is added unless the application has set it.
        """
        opening, names = self._opening, self._opening.names
        bare = opening.code < 200 or opening.code == 204
        lines = [_status_line(opening.status)]
        if bare or not _HOP_BY_HOP.isdisjoint(names):
            # The length of an answer to HEAD or of a 304 stays: it is that of the body to a GET
            # (RFC 9110, section 8.6).
            dropped = _HOP_BY_HOP | {'content-length'} if bare else _HOP_BY_HOP
            named = zip(names, opening.fields, strict=True)
            fields = [field for lower, field in named if lower not in dropped]
        else:
            fields = opening.fields
        lines += [f'{name}: {value}\r\n' for name, value in fields]
        if 'date' not in names:
            lines.append((date or DateLine().line)())
        if self._form is _LENGTH:
            if opening.length is None:
                lines.append(f'Content-Length: {self._left}\r\n')
        elif self._form is _CHUNKED:
            lines.append('Transfer-Encoding: chunked\r\n')
        if self.closes:
            lines.append('Connection: close\r\n')
        elif self._version == 'HTTP/1.0':  # a client of HTTP/1.1 expects this unasked
            lines.append('Connection: keep-alive\r\n')
        lines.append('\r\n')
        return ''.join(lines).encode('latin-1')

    def whole(self, data: bytes) -> bool:
        """Tell whether `data` is the body as the length says, so that nothing follows it."""
        return self._form is _LENGTH and len(data) == self._left

    def part(self, data: bytes) -> bytes:
        """Return `data` as it is sent, without bytes beyond the length."""
        if self._form is _CHUNKED:
            return b'%x\r\n%b\r\n' % (len(data), data) if data else b''
        if self._form is _LENGTH:
            return data[: self._left]
        return data if self._form is _CLOSE else b''

    def allowed(self, size: int) -> int:
        """Return how many of `size` bytes may be sent as they are; 0 if they cannot be."""
        if self._form is _LENGTH:
            return min(size, self._left)
        return size if self._form is _CLOSE else 0

    def count(self, data: bytes) -> None:
        """Count a part that was sent; raises AnswerError if the body is too long."""
        if self._form is _NOTHING and self._unexpected and data:
            raise AnswerError(f'expected no body in an answer {self._opening.code}, found one')
        if self._form is _LENGTH:
            self.count_bytes(len(data))

    def count_bytes(self, size: int) -> None:
        """Count bytes that were sent as they are; raises AnswerError if the body is too long."""
        self._left -= size
        if self._left < 0:
            self.closes = True
            raise AnswerError(
                f'expected a body of {self._opening.length} bytes as its Content-Length says, '
                f'found more'
            )

    def end(self) -> bytes:
        """Return the bytes that end the body; raises AnswerError if it is too short."""
        if self._form is _LENGTH and self._left:
            self.closes = True
            raise AnswerError(
                f'expected a body of {self._opening.length} bytes as its Content-Length says, '
                f'found {self._left} less'
            )
        return b'0\r\n\r\n' if self._form is _CHUNKED else b''


def whole_answer(opening: Opening, data: bytes, date: Callable[[], str]) -> bytes | None:
    """Return an answer from its status line to the end of its body `data`; None for unusual ones.

    It is what a `Framing` makes, in less time, if the connection stays open, the client uses
    HTTP/1.1 and the request is not a HEAD. None unless all fields are sent as they are, and
    `data` is as long as they say.
    """
    code = opening.code
    if (
        opening.length != len(data)
        or code < 200
        or code == 204
        or code == 304
        or not _DECISIVE.isdisjoint(opening.names)
    ):
        return None
    fields = '\r\n'.join(map(_FIELD_LINE, opening.fields))
    return f'{_status_line(opening.status)}{fields}\r\n{date()}\r\n'.encode('latin-1') + data


def _whole_frame() -> Framing:
    opening = Opening()
    opening.start('200 OK', [('Content-Length', '0')])
    return Framing(opening, 'GET', 'HTTP/1.1', None, close=False)


#: stands for the frame of an answer that `whole_answer` has made; nothing may follow
SENT_WHOLE = _whole_frame()


@lru_cache(256)
def _status_line(status: str) -> str:
    # The space after the code is required even without a phrase (RFC 9112, section 4).
    return f'HTTP/1.1 {status}\r\n' if ' ' in status else f'HTTP/1.1 {status} \r\n'


def _asks_to_close(opening: Opening) -> bool:
    return any(
        'close' in re.split(r'[ \t]*,[ \t]*', value.lower().strip())
        for lower, (_, value) in zip(opening.names, opening.fields, strict=True)
        if lower == 'connection'
    )
