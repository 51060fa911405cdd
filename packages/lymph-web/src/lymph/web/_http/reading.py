"""Takes the head of a request out of what has arrived, line by line, within its limits."""

from __future__ import annotations

from lymph.web._http.heads import HeadError
from lymph.web._http.limits import Limits

__all__ = ['HeadLines']

_TLS = b'\x16\x03'  # how a TLS handshake begins (RFC 8446, section 5.1)


class HeadLines:
    """The lines of one head that has not arrived as a whole, or begins with empty lines."""

    __slots__ = ('_data', '_lines', '_searched', '_taken')

    def __init__(self) -> None:
        self._data = bytearray()
        self._lines = self._taken = self._searched = 0

    @property
    def begun(self) -> bool:
        """Whether anything of the head has arrived."""
        return self._taken > 0 or self._searched > 0

    def take(self, buffer: bytearray, limits: Limits) -> bytes | None:
        """Move lines from the front of `buffer`; return the head when it is whole.

        Raises HeadError as soon as the head can no longer be accepted.
        """
        if not self.begun and buffer.startswith(_TLS):
            raise HeadError(400, 'expected HTTP, found a TLS handshake: the port has no TLS')
        while True:
            end = buffer.find(b'\n', self._searched) + 1
            if self._taken + (end or len(buffer)) > limits.max_header_size:
                text = f'expected at most {limits.max_header_size} bytes before the body'
                raise HeadError(431 if self._lines else 414, text)
            if not end:
                self._searched = len(buffer)
                return None
            line = bytes(buffer[:end])
            del buffer[:end]
            self._taken += end
            self._searched = 0
            if not line.endswith(b'\r\n'):
                raise HeadError(400, 'expected lines that end with CR LF')
            if line != b'\r\n':
                self._data += line
                self._lines += 1
                if self._lines > limits.max_headers + 1:
                    raise HeadError(431, f'expected at most {limits.max_headers} header fields')
            elif self._data:  # empty lines before a request are ignored (RFC 9112, 2.2)
                return bytes(self._data + line)
