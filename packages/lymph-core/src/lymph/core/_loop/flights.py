"""One run for all who ask for the same at the same time.

The run has a greenlet of its own, so an asker that gives up takes nothing from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import gevent

from lymph.core.failures import Killed, another
from lymph.exceptions import LymphError

__all__ = ['Cancelled', 'Flights']

T = TypeVar('T')


class Cancelled(LymphError):
    """The run was ended before it had a result."""


class Flights(Generic[T]):
    """Runs in the air, one for each key; `spawn(func)` starts a greenlet for one."""

    def __init__(self, spawn: Callable[[Callable[[], Any]], gevent.Greenlet[..., Any]]) -> None:
        self._spawn = spawn
        self._flights: dict[Hashable, gevent.Greenlet[..., Any]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: Hashable, run: Callable[[], T]) -> T:
        """Return what `run()` returns or raises, or what the run in the air for `key` will.

        Each asker gets an error of its own, where it can be copied: whoever catches one adds to it.
        Raises Cancelled when the greenlet of the run is killed.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = self._spawn(lambda: _outcome(run))
            # also called when it is killed before it began
            flight.rawlink(lambda _: self._flights.pop(key))
        outcome = flight.get()
        if isinstance(outcome, gevent.GreenletExit):
            raise Cancelled('stopped before there was a result')
        value, error = outcome
        if error is not None:
            raise another(error)
        result: T = value
        return result


def _outcome(run: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    try:
        return run(), None
    except Killed:
        raise
    except BaseException as error:  # noqa: BLE001 - the askers get it
        return None, error
