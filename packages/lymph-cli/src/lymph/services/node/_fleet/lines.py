"""From the bytes a process writes to whole lines of text."""

from __future__ import annotations

import codecs

__all__ = ['LineSplitter']

#: Characters after which a line without an end is given out all the same.
_LONGEST_LINE = 64 * 1024


class LineSplitter:
    """Cuts output into lines; bytes that are no UTF-8 become replacement characters."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder('utf-8')(errors='replace')
        self._rest = ''

    def feed(self, data: bytes) -> list[str]:
        """Return the lines that `data` completes, without their ends."""
        *lines, self._rest = (self._rest + self._decoder.decode(data)).split('\n')
        while len(self._rest) >= _LONGEST_LINE:
            lines.append(self._rest[:_LONGEST_LINE])
            self._rest = self._rest[_LONGEST_LINE:]
        return [line.removesuffix('\r') for line in lines]

    def finish(self) -> list[str]:
        """Return what is left when the output has ended: one line, or none."""
        rest = self._rest + self._decoder.decode(b'', final=True)
        self._rest = ''
        return [rest] if rest else []
