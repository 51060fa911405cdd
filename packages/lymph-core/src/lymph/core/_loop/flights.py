"""Single flight: greenlets that ask for the same thing at the same time share one run.

The run has a greenlet of its own, so it goes on for the others if one of them gives up.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

import gevent

from lymph.core.failures import Killed, another
from lymph.exceptions import LymphError

__all__ = ['FlightEnded', 'Flights']

T = TypeVar('T')


class FlightEnded(LymphError):
    """The run was ended before it had a result."""


class Flights(Generic[T]):
    """The runs that have not ended, one for each key; `spawn(func)` starts a greenlet for a run."""

    def __init__(self, spawn: Callable[[Callable[[], Any]], gevent.Greenlet[..., Any]]) -> None:
        self._spawn = spawn
        self._flights: dict[Hashable, gevent.Greenlet[..., Any]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: Hashable, run: Callable[[], T]) -> T:
        """Return the result of `run()`, or that of the run that is in progress for `key`.

        Raises the error of the run. Each caller gets a copy of it, if it can be copied, since a
        caller may add facts to its error. Raises FlightEnded when the greenlet of the run is
        killed.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = self._spawn(lambda: _outcome(run))
            # also called if the greenlet is killed before `run` begins
            flight.rawlink(lambda _: self._flights.pop(key))
        outcome = flight.get()
        if isinstance(outcome, gevent.GreenletExit):
            raise FlightEnded('stopped before there was a result')
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
    except BaseException as error:  # noqa: BLE001 - raised in the greenlets that wait
        return None, error
