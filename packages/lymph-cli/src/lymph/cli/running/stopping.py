"""The signals that end an instance, of which the first asks and the next insists, and Ctrl-C."""

from __future__ import annotations

import functools
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.event import Event

__all__ = ['Stops', 'interrupts_heard']

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Seconds in which an exception that was sent to a greenlet has surely arrived.
_ON_ITS_WAY = 1.0


class Stopped(BaseException):
    """Ends a block that is `interruptible`."""


class Stops:
    """Hears SIGTERM and SIGINT; `asked` is set by the first of them, `insisted` by the next."""

    def __init__(self) -> None:
        self.asked = Event()
        self.insisted = Event()
        #: the greenlet that runs an interruptible block
        self._interruptible: Any = None

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Hear the signals for the duration of a `with` block."""
        watchers = [
            gevent.signal_handler(number, self._hear)
            for number in _SIGNALS
            # A shell starts its background jobs deaf to Ctrl-C.
            if signal.getsignal(number) is not signal.SIG_IGN
        ]
        try:
            yield
        finally:
            for watcher in watchers:
                watcher.cancel()

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

    def _hear(self) -> None:
        if self.asked.is_set():
            self.insisted.set()
            return
        self.asked.set()
        if self._interruptible is not None:
            gevent.kill(self._interruptible, Stopped)


@contextmanager
def interrupts_heard() -> Iterator[None]:
    """Make Ctrl-C a KeyboardInterrupt of the calling greenlet for the duration of a `with` block.

    Without this it comes up in whatever greenlet runs just then, or in gevent's loop, which prints
    it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    interrupt = functools.partial(gevent.kill, gevent.getcurrent(), KeyboardInterrupt)
    watcher = gevent.signal_handler(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        watcher.cancel()
