"""Where in the configuration something stands: a file, a line, a key."""

from __future__ import annotations

from typing import NamedTuple

from lymph.config.printable import printable

__all__ = ['Location', 'Position']

_LENGTH = 300  # characters shown of a file or a key


class Position(NamedTuple):
    """A place in a file; `line` counts from 1, None means the file as a whole."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        file = printable(self.file, _LENGTH)
        return file if self.line is None else f'{file}:{self.line}'


class Location(NamedTuple):
    """A key and the place in a file that decides it; either may be unknown.

    As text, which is printable: `conf.yml:12: container.registry.class`.
    """

    key: str = ''
    position: Position | None = None

    def __str__(self) -> str:
        parts = (self.position, printable(self.key, _LENGTH))
        return ': '.join(str(part) for part in parts if part)
