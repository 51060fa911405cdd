"""Callers as green threads of eventlet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import eventlet

from bench.driving.calling import Call, Tally, caller, paced_caller

__all__ = ['drive', 'orders', 'pace']


def drive(call: Call, text: str, stop: float, tally: Tally, count: int) -> None:
    """Run `count` callers until `stop`."""
    _run([caller(call, text, stop, tally)] * count)


def pace(call: Call, text: str, schedules: Sequence[Iterable[float]], tally: Tally) -> None:
    """Run a caller for each schedule until all have ended."""
    _run([paced_caller(call, text, each, tally, eventlet.sleep) for each in schedules])


def orders() -> Iterator[str]:
    """Yield the lines of standard input; the loop stands still meanwhile."""
    yield from sys.stdin


def _run(callers: Sequence[Callable[[], None]]) -> None:
    for thread in [eventlet.spawn(run) for run in callers]:
        thread.wait()
