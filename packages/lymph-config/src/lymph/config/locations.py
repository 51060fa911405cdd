"""Where in the configuration something stands: a file, a line, a key."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['Location', 'Position']


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; `line` counts from 1, None means the file as a whole."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f'{self.file}:{self.line}'


@dataclass(frozen=True, slots=True)
class Location:
    """A key and the place in a file that decides it; either may be unknown.

    As text: `conf.yml:12: container.registry.class`.
    """

    key: str = ''
    position: Position | None = None

    def __str__(self) -> str:
        return ': '.join(str(part) for part in (self.position, self.key) if part)
