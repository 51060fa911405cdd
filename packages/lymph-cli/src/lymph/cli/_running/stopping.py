"""The signals that end an instance, of which the first asks and the next insists, and Ctrl-C."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.event import Event

from lymph.cli._program.signals import STOPS
from lymph.cli.outcomes import Interrupted

__all__ = ['Stops', 'interrupts_heard', 'stops_heard']

#: Seconds in which an exception that was sent to a greenlet has surely arrived.
_ON_ITS_WAY = 1.0


class Stopped(BaseException):
    """Ends a block that is `interruptible`."""


class Stops:
    """Hears SIGTERM, SIGINT and SIGHUP; the first sets `asked`, the next `insisted`."""

    def __init__(self) -> None:
        self.asked = Event()
        self.insisted = Event()
        #: the greenlet that runs an interruptible block
        self._interruptible: Any = None

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear the signals for the duration of a `with` block."""
        with stops_heard(self._hear):
            yield

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """End the `with` block at the first signal, wherever it waits; go on behind it."""
        self._interruptible = gevent.getcurrent()
        try:
            yield
            if self.asked.is_set():
                # The block ended just before it was told to; nothing behind it is to be hit.
                gevent.sleep(_ON_ITS_WAY)
        except Stopped:
            pass
        finally:
            self._interruptible = None

    def _hear(self, _number: int) -> None:
        if self.asked.is_set():
            self.insisted.set()
            return
        self.asked.set()
        if self._interruptible is not None:
            gevent.kill(self._interruptible, Stopped)


@contextmanager
def interrupts_heard() -> Iterator[None]:
    """Let a signal raise Interrupted in the calling greenlet for the duration of a `with` block.

    Without this it would end the process and leave open what the block has opened. The next signal
    does.
    """
    caller = gevent.getcurrent()
    interrupted: list[int] = []

    def hear(number: int) -> None:
        if interrupted:
            os._exit(128 + number)
        interrupted.append(number)
        gevent.kill(caller, Interrupted(number))

    with stops_heard(hear):
        yield
        if interrupted:  # it came too late for the block, or code of others has swallowed it
            raise Interrupted(interrupted[0])


@contextmanager
def stops_heard(hear: Callable[[int], object], signals: Iterable[int] = STOPS) -> Iterator[None]:
    """Call `hear` in a greenlet with each of these signals for the duration of a `with` block.

    Signals that this process was started to ignore stay ignored.
    """
    before = {number: signal.getsignal(number) for number in signals}
    heard = {number: handler for number, handler in before.items() if handler != signal.SIG_IGN}
    watchers = [gevent.signal_handler(number, hear, number) for number in heard]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
        for number, handler in heard.items():
            if handler is not None:  # it was installed by no code in Python
                signal.signal(number, handler)  # gevent leaves the system's default action
