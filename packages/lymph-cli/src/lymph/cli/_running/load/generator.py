"""Makes calls in a closed loop: each caller waits for the end of one call before the next."""

from __future__ import annotations

import time
from collections.abc import Callable

import gevent
from gevent.event import Event

from lymph.cli._running.load.outcomes import Tally, is_mistake
from lymph.cli._running.load.plan import Plan
from lymph.core.failures import Killed
from lymph.core.greenlets import Pool
from lymph.exceptions import NotSent, RpcError

__all__ = ['LoadGenerator']

_TICK = 0.25  # seconds between two updates of what is shown
_PAUSE = 0.01  # seconds after a call that was not sent: the next one would hardly fare better
_CUT = 1.0  # seconds that callers get to end


class LoadGenerator:
    """Makes the calls of a plan and counts what becomes of them.

    `call()` makes one call. There is one greenlet for each caller, for as long as the load lasts.
    """

    def __init__(self, call: Callable[[], object], plan: Plan) -> None:
        self.tally = Tally()
        self.cut = 0  # calls that were in flight when the load was ended early
        self._call = call
        self._plan = plan
        self._left = plan.requests
        self._began = time.perf_counter()
        self._ended: float | None = None
        self._running = 0
        self._bug: BaseException | None = None
        self._idle = Event()

    @property
    def seconds(self) -> float:
        """How long the load has lasted, or did."""
        return (self._ended or time.perf_counter()) - self._began

    def run(self, tick: Callable[[], None] | None = None) -> None:
        """Make all calls; `tick` is called now and then meanwhile.

        The first call is made alone, and raises its RpcError if that is a mistake of the user's
        which all others would repeat. Whatever raises an exception here ends all callers.
        """
        self._began = time.perf_counter()
        pool = Pool()
        try:
            self._running = 1
            if self._more():
                error = self._call_once()
                if error is not None and is_mistake(error):
                    raise error
            self._running = 0
            for _ in range(self._plan.concurrency):
                self._running += 1
                pool.spawn(self._call_on)
            while not self._idle.wait(None if tick is None else _TICK):
                tick()  # type: ignore[misc]  # without one the wait has no end
        finally:
            self._ended = time.perf_counter()
            self.cut = self._running
            pool.kill(timeout=_CUT)
        if self._bug is not None:
            raise self._bug

    def _call_on(self) -> None:
        try:
            while self._bug is None and self._more():
                if isinstance(self._call_once(), NotSent):
                    gevent.sleep(_PAUSE)
        except Killed:
            raise
        except BaseException as bug:  # noqa: BLE001 - raised again by `run`
            self._bug = bug
        self._running -= 1
        if not self._running:
            self._idle.set()

    def _more(self) -> bool:
        """Take one call of those that are left to make."""
        plan = self._plan
        if plan.duration is not None and time.perf_counter() - self._began >= plan.duration:
            return False
        if self._left is not None:
            if self._left <= 0:
                return False
            self._left -= 1
        return True

    def _call_once(self) -> RpcError | None:
        began = time.perf_counter()
        try:
            self._call()
        except RpcError as error:
            self.tally.failed(error, time.perf_counter() - began)
            return error
        self.tally.succeeded(time.perf_counter() - began)
        return None
