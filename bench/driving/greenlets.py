"""Callers as greenlets."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence

import gevent
from gevent.fileobject import FileObject

from bench.driving.calling import Call, Tally, caller, paced_caller

__all__ = ['drive', 'orders', 'pace']


def drive(call: Call, text: str, stop: float, tally: Tally, count: int) -> None:
    """Run `count` callers until `stop`."""
    run = caller(call, text, stop, tally)
    gevent.joinall([gevent.spawn(run) for _ in range(count)], raise_error=True)


def pace(call: Call, text: str, schedules: Sequence[Iterable[float]], tally: Tally) -> None:
    """Run a caller for each schedule until all have ended."""
    callers = [paced_caller(call, text, each, tally, gevent.sleep) for each in schedules]
    gevent.joinall([gevent.spawn(run) for run in callers], raise_error=True)


def orders() -> Iterator[str]:
    """Yield the lines of standard input; the loop goes on while there is none."""
    yield from FileObject(sys.stdin.fileno(), 'r', closefd=False)
