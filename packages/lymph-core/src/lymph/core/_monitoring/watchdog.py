"""The watchdog: a native thread that notices when one greenlet keeps the loop from running.

Theory: every `threshold` seconds the thread asks the loop for a sign of life. If none has come by
the next time, it reads the stack that the loop's thread executes: this is the greenlet that blocks
the loop, since nothing else can run. A block is logged once, while it lasts, and counted when it
ends. The cost is one wake-up of the loop for each question; calls cost nothing extra.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from types import FrameType

import gevent
from gevent import monkey

from lymph.core.components import Component
from lymph.core.monitoring.metrics import Sample

__all__ = ['Watchdog']

logger = logging.getLogger(__name__)

# not monkey-patched: gevent's versions are greenlets, which a blocked loop would block as well
_start_thread = monkey.get_original('_thread', 'start_new_thread')
_new_lock = monkey.get_original('_thread', 'allocate_lock')


class Watchdog(Component):
    """Reports what blocks the loop for `threshold` seconds or more."""

    def __init__(self, threshold: float) -> None:
        super().__init__()
        self.threshold = threshold
        self.blocks = 0
        self.blocked_seconds = 0.0
        self._asked = self._answered = 0.0
        self._running = _new_lock()  # held by this object until the thread is to end
        self._ended = _new_lock()  # held until the thread has ended

    def on_start(self) -> None:
        """Start the thread."""
        self._loop_thread = monkey.get_original('threading', 'get_ident')()
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
            # not longer: the thread may be waiting for a logging lock that a greenlet holds
            self._ended.acquire(True, 1.0)
            self.metrics.remove(self)
            self._sign_of_life.stop()
            self._sign_of_life.close()

    def __iter__(self) -> Iterator[Sample]:
        """Yield how often and for how long the loop was blocked."""
        yield 'loop.blocks', self.blocks, {}
        yield 'loop.blocked_seconds', self.blocked_seconds, {}

    def facts(self) -> dict[str, float]:
        """Return how often and for how many seconds the loop was blocked."""
        return {'blocks': self.blocks, 'blocked_seconds': self.blocked_seconds}

    def _answer(self) -> None:
        """Answer the thread's question. Runs in the hub."""
        now = time.monotonic()
        if now - self._asked >= self.threshold:
            self.blocks += 1
            self.blocked_seconds += now - self._asked
        self._answered = now

    def _watch(self) -> None:
        """Ask for signs of life and report missing ones. Runs in the thread."""
        reported = False
        try:
            while not self._running.acquire(True, self.threshold):
                if self._answered >= self._asked:
                    reported = False
                    self._asked = time.monotonic()
                    self._sign_of_life.send()
                elif not reported:
                    reported = True
                    frames = sys._current_frames()  # noqa: SLF001 - the documented way
                    with suppress(BaseException):  # a failing log must not end the thread
                        self._report(frames.get(self._loop_thread))
        finally:
            self._ended.release()

    def _report(self, frame: FrameType | None) -> None:
        stack = ''.join(traceback.format_stack(frame)) if frame is not None else 'unknown'
        blocked = time.monotonic() - self._asked
        logger.error('the loop has been blocked for %.1f s by:\n%s', blocked, stack)
