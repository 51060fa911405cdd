"""The watchdog: a native thread that notices when one greenlet keeps the loop from running.

Theory: four times a second the thread asks the loop for a sign of life. How late it comes is the
delay of the loop, which handlers and timers see as well. If none has come for `threshold` seconds,
the thread reads the stack that the loop's thread executes: this is the greenlet that blocks the
loop, since nothing else can run. A block is logged once, while it lasts, and counted when it ends.
Some handlers get the record when the loop is back: see `lymph.core._monitoring.lockless_log`.
The cost is one wake-up of the loop for each question; calls cost nothing extra.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType
from typing import Final

import gevent
from gevent import monkey

from lymph.core._monitoring.lockless_log import LocklessLog
from lymph.core.components import Component
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.histograms import Histogram
from lymph.core.monitoring.metrics import Sample

__all__ = ['Watchdog']

logger = logging.getLogger(__name__)

describe('loop.delay', 'histogram', 'How late the loop answers the watchdog.', unit='seconds')
describe('loop.blocks', 'counter', 'Times that code blocked the loop for block_threshold or more.')
describe(
    'loop.blocked_seconds',
    'counter',
    'How long code blocked the loop in these times.',
    unit='seconds',
)

_PERIOD: Final = 0.25  # seconds between two questions, unless `threshold` is shorter

# not monkey-patched: gevent's versions are greenlets, which a blocked loop would block as well
_start_thread = monkey.get_original('_thread', 'start_new_thread')
_new_lock = monkey.get_original('_thread', 'allocate_lock')


class Watchdog(Component):
    """Measures how late the loop is, and reports what blocks it for `threshold` seconds or more.

    With a `threshold` of 0 it only measures.
    """

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold
        self.blocks = 0
        self.blocked_seconds = 0.0
        self._delay = Histogram('loop.delay')
        self._log = LocklessLog(logger)
        self._relaying: gevent.Greenlet[[], None] | None = None
        self._asked = self._answered = 0.0
        #: the native thread of the loop, None before the start
        self.thread: int | None = None
        self._running = _new_lock()  # held by this object until the thread is to end
        self._ended = _new_lock()  # held until the thread has ended

    def on_start(self) -> None:
        """Start the thread."""
        self.thread = monkey.get_original('threading', 'get_ident')()
        self._sign_of_life = gevent.get_hub().loop.async_(ref=False)
        self._sign_of_life.start(self._answer)
        self.metrics.add(self)
        self._running.acquire()
        self._ended.acquire()
        _start_thread(self._watch, ())

    def on_stop(self) -> None:
        """End the thread."""
        if self._running.locked():
            self._running.release()
            # not longer: the thread may be waiting for whoever reads stderr
            self._ended.acquire(True, 1.0)
            self._answered = self._asked
            self.metrics.remove(self)
            self._sign_of_life.stop()
            self._sign_of_life.close()
            if self._relaying is not None:
                self._relaying.join(1.0)  # a handler may wait
                self._relaying.kill(block=False)
            self._log.relay()

    def __iter__(self) -> Iterator[Sample]:
        """Yield how late the loop is, and how often and for how long it was blocked."""
        yield from self._delay
        if self.threshold:
            yield 'loop.blocks', self.blocks, {}
            yield 'loop.blocked_seconds', self.blocked_seconds, {}

    def facts(self) -> dict[str, float]:
        """Return how often and for how many seconds the loop was blocked."""
        return {'blocks': self.blocks, 'blocked_seconds': self.blocked_seconds}

    def silence(self) -> float:
        """Return for how many seconds the loop has left a question unanswered, 0 if it has not.

        May be called by any thread, as `frame` may be.
        """
        asked = self._asked
        return 0.0 if self._answered >= asked else time.monotonic() - asked

    def frame(self) -> FrameType | None:
        """Return the innermost frame that the thread of the loop executes, None if it has ended."""
        if self.thread is None:
            return None
        return sys._current_frames().get(self.thread)  # noqa: SLF001 - the documented way

    def _answer(self) -> None:
        """Answer the thread's question. Runs in the hub."""
        now = time.monotonic()
        self._delay.observe(now - self._asked)
        if 0 < self.threshold <= now - self._asked:
            self.blocks += 1
            self.blocked_seconds += now - self._asked
        self._answered = now
        if self._log and not self._relaying:  # a greenlet that has ended is false
            self._relaying = gevent.spawn(self._log.relay)

    def _watch(self) -> None:
        """Ask for signs of life and report missing ones. Runs in the thread."""
        reported = not self.threshold
        period = min(_PERIOD, self.threshold or _PERIOD)
        try:
            while not self._running.acquire(True, period):
                if self._answered >= self._asked:
                    reported = not self.threshold
                    self._asked = time.monotonic()
                    self._sign_of_life.send()
                elif not reported and self.silence() >= self.threshold:
                    reported = True
                    with suppress(BaseException):  # a failing log must not end the thread
                        self._report(self.frame())
        finally:
            self._ended.release()

    def _report(self, frame: FrameType | None) -> None:
        stack = ''.join(traceback.format_stack(frame)) if frame is not None else 'unknown'
        text = 'the loop has been blocked for %.1f s by:\n%s'
        self._log.write(logging.ERROR, text, self.silence(), stack)
