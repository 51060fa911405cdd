"""What each caller does: call, look at the clock, write it down."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

__all__ = ['Call', 'Tally', 'caller', 'moments', 'paced_caller']

Call = Callable[[str], object]


@dataclass
class Tally:
    """What the callers of a slice write down: seconds of each call."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    def failure(self) -> None:
        """Count the exception that is being handled and show the first one."""
        if not self.failed:
            traceback.print_exc(file=sys.stderr)
        self.failed += 1


def caller(call: Call, text: str, stop: float, tally: Tally) -> Callable[[], None]:
    """Return a caller that makes one call after another until `stop` (of perf_counter)."""
    clock, note = time.perf_counter, tally.latencies.append

    def run() -> None:
        while (begin := clock()) < stop:
            try:
                call(text)
            except Exception:  # noqa: BLE001 - whatever a subject raises is shown
                tally.failure()
            else:
                note(clock() - begin)

    return run


def paced_caller(
    call: Call,
    text: str,
    schedule: Iterable[float],
    tally: Tally,
    sleep: Callable[[float], object],
) -> Callable[[], None]:
    """Return a caller that calls at each moment of `schedule` (of perf_counter), or once late."""
    clock, note = time.perf_counter, tally.latencies.append

    def run() -> None:
        for moment in schedule:
            sleep(max(0.0, moment - clock()))
            begin = clock()
            try:
                call(text)
            except Exception:  # noqa: BLE001 - whatever a subject raises is shown
                tally.failure()
            else:
                note(clock() - begin)

    return run


def moments(start: float, stop: float, rate: float, count: int) -> list[Iterator[float]]:
    """Return `count` schedules that together have `rate` moments a second, evenly spread."""
    total = int((stop - start) * rate)
    return [
        (start + number / rate for number in range(first, total, count)) for first in range(count)
    ]
