"""Callers as coroutines of asyncio; their calls are awaited."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

from bench.driving.calling import Tally

__all__ = ['LOOP', 'drive', 'orders', 'pace']

#: where calls are made and their connections live
LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)

_Call = Callable[[str], Awaitable[object]]


def drive(call: _Call, text: str, stop: float, tally: Tally, count: int) -> None:
    """Run `count` callers until `stop`."""
    clock, note = time.perf_counter, tally.latencies.append

    async def run() -> None:
        while (begin := clock()) < stop:
            try:
                await call(text)
            except Exception:  # noqa: BLE001 - whatever a subject raises is shown
                tally.failure()
            else:
                note(clock() - begin)

    _run([run() for _ in range(count)])


def pace(call: _Call, text: str, schedules: Sequence[Iterable[float]], tally: Tally) -> None:
    """Run a caller for each schedule until all have ended."""
    clock, note = time.perf_counter, tally.latencies.append

    async def run(schedule: Iterable[float]) -> None:
        for moment in schedule:
            await asyncio.sleep(max(0.0, moment - clock()))
            begin = clock()
            try:
                await call(text)
            except Exception:  # noqa: BLE001 - whatever a subject raises is shown
                tally.failure()
            else:
                note(clock() - begin)

    _run([run(each) for each in schedules])


def orders() -> Iterator[str]:
    """Yield the lines of standard input; the loop goes on while there is none."""
    while line := LOOP.run_until_complete(LOOP.run_in_executor(None, sys.stdin.readline)):
        yield line


def _run(callers: Sequence[Awaitable[None]]) -> None:
    async def run_all() -> None:
        await asyncio.gather(*callers)

    LOOP.run_until_complete(run_all())
