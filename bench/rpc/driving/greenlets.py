"""Callers as greenlets."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import gevent
from gevent.fileobject import FileObject

from bench.rpc.driving.calling import Call, Tally, caller

__all__ = ['drive', 'orders']


def drive(call: Call, text: str, stop: float, tally: Tally, count: int) -> None:
    """Run `count` callers until `stop`."""
    run = caller(call, text, stop, tally)
    gevent.joinall([gevent.spawn(run) for _ in range(count)], raise_error=True)


def orders() -> Iterator[str]:
    """Yield the lines of standard input; the loop goes on while there is none."""
    yield from FileObject(sys.stdin.fileno(), 'r', closefd=False)
