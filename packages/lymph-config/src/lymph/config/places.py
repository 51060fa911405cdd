"""The place of the configuration that an error of somebody else's code belongs to.

Modules and factories that a configuration names may raise anything, and it passes through lymph
unchanged. On its way, the place that named the module or factory is noted on the error, so that
whoever reports the error can say where to look.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lymph.config._values.locations import Location

__all__ = ['Place', 'noted', 'place_of']

_NOTE = '_lymph_place'


class Place(NamedTuple):
    """A place in the configuration, and what was being done for it: `importing 'echo:Echo'`."""

    where: Location | str
    doing: str


@contextmanager
def noted(where: Location | str | None, doing: str) -> Iterator[None]:
    """Note a place on any exception that the block raises, and pass the exception on.

    Arguments: `where` is the place, or None to note nothing; `doing` says what the block does.

    An exception keeps its first note, that of the innermost block.
    """
    try:
        yield
    except BaseException as error:
        if where is not None and place_of(error) is None:
            # Not by setattr: the class of the exception may define __setattr__.
            BaseException.__setattr__(error, _NOTE, Place(where, doing))
        raise


def place_of(error: BaseException) -> Place | None:
    """Return the place that was noted on an error, or None."""
    try:
        place = object.__getattribute__(error, _NOTE)
    except AttributeError:
        return None
    return place if isinstance(place, Place) else None
