"""Where a value stands: its key or path in the configuration, its line in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from lymph.config.printable import printable, quoted

__all__ = ['Key', 'Location', 'Path', 'Position', 'format_path', 'parse_key']

#: A path: keys of mappings as text, places in lists as numbers from 0.
Path: TypeAlias = tuple[str | int, ...]

#: What methods accept: a dotted key, or a list or tuple of literal segments.
Key: TypeAlias = str | Sequence[str | int]

_LENGTH = 300  # characters shown of a file or a key


class Position(NamedTuple):
    """A place in a file: `line` counts from 1; None stands for the whole file.

    As text, which is printable and cut to 300 characters: `conf.yml:12`.
    """

    file: str
    line: int | None = None

    def __str__(self) -> str:
        file = printable(self.file, _LENGTH)
        return file if self.line is None else f'{file}:{self.line}'


class Location(NamedTuple):
    """A dotted key and the position of its value; either may be unknown ('' and None).

    As text, which is printable: `conf.yml:12: container.registry.class`.
    """

    key: str = ''
    position: Position | None = None

    def __str__(self) -> str:
        parts = (self.position, printable(self.key, _LENGTH))
        return ': '.join(str(part) for part in parts if part)


def parse_key(key: Key) -> Path:
    """Return the path that a key stands for; the empty key and the empty list stand for `()`.

    Text is split at its dots. A list or tuple is taken segment by segment, so a name that contains
    dots can be reached: `['interfaces', 'echo@1.5.0']`.

    Raises TypeError for anything else.
    """
    if isinstance(key, str):
        return tuple(key.split('.')) if key else ()
    if isinstance(key, (list, tuple)) and all(
        isinstance(segment, (str, int)) and not isinstance(segment, bool) for segment in key
    ):
        return tuple(key)
    raise TypeError(
        f'a configuration key is text, or a list of text and numbers; found {quoted(key)} '
        f'({type(key).__name__})'
    )


def format_path(path: Path) -> str:
    """Return a path as people write it: `container.events.urls.0`."""
    return '.'.join(str(segment) for segment in path)
