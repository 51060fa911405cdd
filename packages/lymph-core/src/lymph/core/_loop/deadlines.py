"""Deadlines: until when the current work may run, and one timer for everything that expires.

Deadlines are times of `time.monotonic`. Between processes they are sent as remaining seconds, never
as a time of day. A deferred call has the deadline of the work that started it; a spawned greenlet
has none (see `lymph.core.greenlets`).
"""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable
from typing import Protocol

import gevent

from lymph.core._loop.current_call import current_call, set_current_call
from lymph.core.failures import described, log_failure

__all__ = ['Expirable', 'Expirations', 'current', 'remaining', 'set_current']

logger = logging.getLogger(__name__)

_TICK = 0.01  # seconds; deadlines are rounded up to multiples, so one timer event serves many
_BUCKETS = 1000  # buckets that are kept at least before empty ones are removed


class _Limit:
    """Work that has a deadline and is no call, such as an HTTP request."""

    __slots__ = ('deadline',)

    cancellation = None
    work = None

    def __init__(self, deadline: float) -> None:
        self.deadline: float | None = deadline

    @property
    def given_up(self) -> bool:
        return self.deadline is not None and self.deadline <= time.monotonic()


def current() -> float | None:
    """Return the deadline of the current work, None if it has none."""
    call = current_call()
    return None if call is None else call.deadline


def set_current(deadline: float | None) -> None:
    """Set the deadline of the current context, which belongs to no call; None removes it."""
    set_current_call(None if deadline is None else _Limit(deadline))


def remaining(timeout: float) -> float:
    """Return `timeout` or the seconds that the current work has left, whichever is less; 0 or more.

    Without a deadline `timeout` is returned unchanged.
    """
    call = current_call()
    if call is None or call.deadline is None:
        return timeout
    return max(0.0, min(timeout, call.deadline - time.monotonic()))


def is_cancellable() -> bool:
    """Tell whether the current work is a call that is cancelled at its deadline."""
    call = current_call()
    return call is not None and call.cancellation is not None and call.cancellation.open


class Expirable(Protocol):
    """Something that waits until a deadline."""

    def expire(self) -> None:
        """Called in the hub when the deadline has passed. Must not wait."""


class Expirations:
    """Expires many objects with one timer.

    Objects are kept in buckets of 10 ms by deadline, so adding and removing one is a set operation.
    The timer is set to the earliest bucket, and stopped when there is none.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[int, set[Expirable]] = {}
        self._ticks: list[int] = []  # a heap of the buckets' keys
        self._timer = gevent.get_hub().loop.timer(0)
        self._armed: int | None = None
        self._tidy_at = _BUCKETS  # number of buckets at which empty ones are removed

    def __len__(self) -> int:
        return sum(map(len, self._buckets.values()))

    def add(self, waiting: Expirable, deadline: float) -> int:
        """Call `waiting.expire()` at `deadline`; return a ticket for `discard`."""
        tick = int(deadline / _TICK) + 1
        bucket = self._buckets.get(tick)
        if bucket is None:
            if len(self._buckets) >= self._tidy_at:
                self._tidy()
            self._buckets[tick] = bucket = set()
            heapq.heappush(self._ticks, tick)
            self._arm_by(tick)
        bucket.add(waiting)
        return tick

    def discard(self, waiting: Expirable, ticket: int) -> None:
        """Undo an `add`; one that has expired is ignored."""
        bucket = self._buckets.get(ticket)
        if bucket is not None:
            bucket.discard(waiting)
            if not bucket:
                bucket.clear()  # frees the memory that a set keeps after it was large

    def close(self) -> None:
        """Forget all objects and stop the timer."""
        self._timer.stop()
        self._armed = None
        self._buckets.clear()
        self._ticks.clear()

    def _tidy(self) -> None:
        """Remove empty buckets, which distant deadlines would leave behind for a long time."""
        self._buckets = {tick: bucket for tick, bucket in self._buckets.items() if bucket}
        self._ticks = sorted(self._buckets)  # a sorted list is a heap
        self._tidy_at = max(_BUCKETS, 2 * len(self._buckets))

    def _arm_by(self, tick: int) -> None:
        """Set the timer to `tick`, unless it is set to an earlier one."""
        if self._armed is not None and self._armed <= tick:
            return
        self._armed = tick
        self._timer.stop()
        self._timer.close()
        self._timer = gevent.get_hub().loop.timer(max(0.0, tick * _TICK - self._clock()))
        self._timer.start(self._fire)

    def _fire(self) -> None:
        self._armed = None
        now = self._clock()
        while self._ticks and self._ticks[0] * _TICK <= now:
            for waiting in self._buckets.pop(heapq.heappop(self._ticks)):
                try:
                    waiting.expire()
                except Exception as error:  # noqa: BLE001 - the others still have to expire
                    log_failure(logger, error, '%s did not expire', described(waiting))
        while self._ticks and not self._buckets[self._ticks[0]]:
            del self._buckets[heapq.heappop(self._ticks)]  # all in it were discarded
        # `expire` may have called `add` meanwhile, and so set the timer to a later bucket
        if self._ticks:
            self._arm_by(self._ticks[0])
