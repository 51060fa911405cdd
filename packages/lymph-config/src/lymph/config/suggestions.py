"""The name that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lymph.config.lazy import lazy

__all__ = ['LONGEST', 'close_name', 'close_names']

_close_matches = lazy('difflib:get_close_matches')

LONGEST: Final = 60  # characters; comparing two names takes the product of their lengths
_ALIKE: Final = 0.6  # as `difflib` measures it


def close_name(name: object, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """Return the known name that is most like a wrong one, if one is `alike` enough (up to 1).

    Names of more than `LONGEST` characters, which peers may send, are like none.
    """
    if not isinstance(name, str) or len(name) > LONGEST:
        return None
    candidates = sorted(each for each in known if len(each) <= LONGEST)
    close: list[str] = _close_matches(name, candidates, n=1, cutoff=alike)
    return close[0] if close else None


def close_names(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known name that is most like a wrong one, or nothing."""
    close = close_name(name, names)
    return f'; did you mean {close!r}?' if close else ''
