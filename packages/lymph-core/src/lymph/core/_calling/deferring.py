"""Calls in the background. Each has an AsyncResult that always gets an outcome.

A deferred call belongs to the work that started it: it has the trace id of that work, and must end
by its deadline. It is cancelled with it, and has none of its resources, which may be closed before
it ends.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from lymph.core import trace
from lymph.core._loop.current_call import current_call
from lymph.core._loop.results import AsyncResult
from lymph.core._work.units import leave_unit
from lymph.core.failures import Killed
from lymph.core.workers import Workers
from lymph.exceptions import CallFacts, ConnectionLost, NotConnected

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ['DeferredCalls']

R = TypeVar('R')

_ENDED = 'the greenlet of the call was ended'


class DeferredCalls:
    """Runs calls in reusable greenlets, each in a copy of the context of its caller."""

    def __init__(self) -> None:
        self._workers = Workers()
        self._awaited: dict[AsyncResult[Any], CallFacts] = {}  # result -> facts of its call
        self._refusal = ''

    @property
    def running(self) -> int:
        """The number of calls that run now."""
        return self._workers.running

    def start(self, call: Callable[[], R], **facts: Unpack[CallFacts]) -> AsyncResult[R]:
        """Run `call` in the background; its return value or error becomes the result.

        Nobody needs to read the result. `facts` are keyword arguments of `RpcError`, used when the
        call is ended: ConnectionLost if it was running, NotConnected after `close`.
        """
        result: AsyncResult[R] = AsyncResult()
        facts['trace_id'] = facts.get('trace_id') or trace.get_id()
        current = current_call()
        cancellation = None if current is None else current.cancellation
        if cancellation is not None and not cancellation.open:
            cancellation = None  # of a call that was cancelled before: this one cleans up after it

        def run() -> None:
            leave_unit()
            try:
                if cancellation is not None:
                    cancellation.join()
                result.set(call())
            except Killed:
                result.set_exception(ConnectionLost(self._refusal or _ENDED, **facts))
                raise
            except BaseException as error:  # noqa: BLE001 - raised by `result.get()`
                result.set_exception(error)
            finally:
                if cancellation is not None:
                    cancellation.leave()
                self._awaited.pop(result, None)

        self._awaited[result] = facts
        if not self._workers.try_start(contextvars.copy_context().run, run):
            del self._awaited[result]
            result.set_exception(NotConnected(self._refusal, **facts))
        return result

    def close(self, reason: str) -> None:
        """End running calls with ConnectionLost and refuse new ones; `reason` is the error text."""
        self._refusal = reason
        awaited, self._awaited = self._awaited, {}
        self._workers.kill()
        for result, facts in awaited.items():
            if not result.ready():  # its greenlet was killed before `run` began
                result.set_exception(ConnectionLost(reason, **facts))
