"""Keys and paths: `'a.b'` and `['a', 'b']` both lead to the value at `b` in the mapping at `a`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from lymph.config.printable import quoted

__all__ = ['Key', 'Path', 'format_path', 'parse_key']

#: A path: keys of mappings as text, places in lists as numbers from 0.
Path: TypeAlias = tuple[str | int, ...]

#: What methods take: a dotted key, or a list or tuple of literal segments.
Key: TypeAlias = str | Sequence[str | int]


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
