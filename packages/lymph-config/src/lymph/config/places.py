"""Which place of the configuration an error of other people's code belongs to.

Modules, factories and hooks that a configuration names raise what they like. It passes unchanged
through whoever called them. On its way the place that named them is noted on the error, so that
whoever reports it can say where to look.
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
    """A place in the configuration, and what was done for it: `importing 'echo:Echo'`."""

    where: Location | str
    doing: str


@contextmanager
def noted(where: Location | str | None, doing: str) -> Iterator[None]:
    """Note a place on whatever the block raises; the first note, that of the innermost, stays."""
    try:
        yield
    except BaseException as error:
        if where is not None and place_of(error) is None:
            # straight into the instance: its class may have its own ideas of attributes
            BaseException.__setattr__(error, _NOTE, Place(where, doing))
        raise


def place_of(error: BaseException) -> Place | None:
    """Return the place that was noted on an error, if any."""
    try:
        place = object.__getattribute__(error, _NOTE)
    except AttributeError:
        return None
    return place if isinstance(place, Place) else None
