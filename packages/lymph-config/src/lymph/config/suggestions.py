"""Suggestions for misspelt names; the only place where names are compared."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lymph.config.lazy import lazy

__all__ = ['LONGEST', 'close_name', 'close_names']

_close_matches = lazy('difflib:get_close_matches')

LONGEST: Final = 60  # characters; the time to compare two names grows with their product
_ALIKE: Final = 0.6  # ratio of `difflib`, which is its own default


def close_name(name: object, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """Return the known name that is closest to a wrong one, or None if none is close enough.

    `alike` is the least similarity, as a ratio from 0 to 1 (`difflib.SequenceMatcher.ratio`,
    default 0.6). Upper and lower case differ.

    Names of more than `LONGEST` characters, which peers may send, are close to nothing; so is a
    `name` that is not text.
    """
    if not isinstance(name, str) or len(name) > LONGEST:
        return None
    candidates = sorted(each for each in known if len(each) <= LONGEST)
    close: list[str] = _close_matches(name, candidates, n=1, cutoff=alike)
    return close[0] if close else None


def close_names(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known name that is closest to a wrong one, or ''."""
    close = close_name(name, names)
    return f'; did you mean {close!r}?' if close else ''
