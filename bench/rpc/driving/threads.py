"""Callers as threads."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator

from bench.rpc.driving.calling import Call, Tally, caller

__all__ = ['drive', 'orders']


def drive(call: Call, text: str, stop: float, tally: Tally, count: int) -> None:
    """Run `count` callers until `stop`; a single one in this thread, as a program would."""
    run = caller(call, text, stop, tally)
    if count == 1:
        run()
        return
    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def orders() -> Iterator[str]:
    """Yield the lines of standard input."""
    yield from sys.stdin
