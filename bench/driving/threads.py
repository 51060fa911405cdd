"""Callers as threads."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.driving.calling import Call, Tally, caller, paced_caller

__all__ = ['drive', 'orders', 'pace']


def drive(call: Call, text: str, stop: float, tally: Tally, count: int) -> None:
    """Run `count` callers until `stop`."""
    _run([caller(call, text, stop, tally)] * count)


def pace(call: Call, text: str, schedules: Sequence[Iterable[float]], tally: Tally) -> None:
    """Run a caller for each schedule until all have ended."""
    _run([paced_caller(call, text, each, tally, time.sleep) for each in schedules])


def orders() -> Iterator[str]:
    """Yield the lines of standard input."""
    yield from sys.stdin


def _run(callers: Sequence[Callable[[], None]]) -> None:
    """Run the callers; a single one in this thread, as a program would."""
    if len(callers) == 1:
        callers[0]()
        return
    threads = [threading.Thread(target=run) for run in callers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
