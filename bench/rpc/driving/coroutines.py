"""Callers as coroutines of asyncio; their calls are awaited."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

from bench.rpc.driving.calling import Tally

__all__ = ['LOOP', 'drive', 'orders']

#: where calls are made and their connections live
LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(LOOP)


def drive(
    call: Callable[[str], Awaitable[object]], text: str, stop: float, tally: Tally, count: int
) -> None:
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

    async def run_all() -> None:
        await asyncio.gather(*[run() for _ in range(count)])

    LOOP.run_until_complete(run_all())


def orders() -> Iterator[str]:
    """Yield the lines of standard input; the loop stands still meanwhile."""
    yield from sys.stdin
