"""Finding the value that a serializer choked on, for the error that names it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

__all__ = ['explain']

_DEPTH = 64  # deeper than any payload that is meant; ends the search in circular structures


def explain(value: Any, fits: Callable[[Any], Exception | None]) -> str:
    """Return one line: the path to the innermost value that does not fit, its type and why.

    `fits` packs a single value and returns its error, None if there is none.
    """
    path, culprit, error = '', value, fits(value)
    for _ in range(_DEPTH):
        for step, child in _children(culprit):
            child_error = fits(child)
            if child_error is not None:
                path, culprit, error = path + step, child, child_error
                break
        else:
            break
    where = f'at {path.removeprefix(".")}' if path else 'as a whole'
    kind = f'{type(culprit).__module__}.{type(culprit).__qualname__}'.removeprefix('builtins.')
    return f'cannot serialize the value {where}: {kind}: {error}'


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield f'.{key}' if isinstance(key, str) else f'[{key!r}]', child
            yield f' (key {key!r})', key
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, child in enumerate(value):
            yield f'[{index}]', child
    elif hasattr(type(value), '_lymph_dump_'):
        # one that raises has no inside: the object itself is the culprit
        with contextlib.suppress(Exception):
            yield '._lymph_dump_()', type(value)._lymph_dump_(value)
