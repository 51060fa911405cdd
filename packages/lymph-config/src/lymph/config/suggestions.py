"""The name that somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

__all__ = ['LONGEST', 'close_name']

LONGEST: Final = 60  # characters; comparing two names takes the product of their lengths
_ALIKE: Final = 0.6  # as `difflib` measures it


def close_name(name: object, known: Iterable[str], alike: float = _ALIKE) -> str | None:
    """Return the known name that is most like a wrong one, if one is `alike` enough (up to 1).

    Names of more than `LONGEST` characters, which peers may send, are like none.
    """
    if not isinstance(name, str) or len(name) > LONGEST:
        return None
    candidates = sorted(each for each in known if len(each) <= LONGEST)
    close = difflib.get_close_matches(name, candidates, n=1, cutoff=alike)
    return close[0] if close else None
