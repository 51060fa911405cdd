"""Calls in the background, each with an AsyncResult that gets its outcome, whatever happens.

A deferred call belongs to the work that made it: it has the trace id of that work and ends by its
deadline.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from gevent.event import AsyncResult

from lymph.core import trace
from lymph.core.failures import Killed
from lymph.core.workers import Workers
from lymph.exceptions import ConnectionLost, NotConnected

__all__ = ['DeferredCalls']

_ENDED = 'the greenlet of the call was ended'


class DeferredCalls:
    """Runs calls in greenlets that are used again, in the context of who asked for them."""

    def __init__(self) -> None:
        self._workers = Workers()
        self._awaited: dict[AsyncResult[Any], dict[str, Any]] = {}  # with the facts of its call
        self._refusal = ''

    @property
    def running(self) -> int:
        """The number of calls that run now."""
        return self._workers.running

    def start(self, call: Callable[[], Any], **facts: Any) -> AsyncResult[Any]:
        """Run `call`; what it returns or raises becomes the result, which may be ignored.

        `facts` are what is known of it, for errors: the keyword arguments of `RpcError`.
        """
        result: AsyncResult[Any] = AsyncResult()
        facts['trace_id'] = facts.get('trace_id') or trace.get_id()

        def run() -> None:
            try:
                result.set(call())
            except Killed:
                result.set_exception(ConnectionLost(self._refusal or _ENDED, **facts))
                raise
            except BaseException as error:  # noqa: BLE001 - who gets the result gets the error
                result.set_exception(error)
            finally:
                self._awaited.pop(result, None)

        self._awaited[result] = facts
        if not self._workers.try_start(contextvars.copy_context().run, run):
            del self._awaited[result]
            result.set_exception(NotConnected(self._refusal, **facts))
        return result

    def close(self, reason: str) -> None:
        """End what runs with ConnectionLost, and refuse what comes, because of `reason`."""
        self._refusal = reason
        awaited, self._awaited = self._awaited, {}
        self._workers.kill()
        for result, facts in awaited.items():
            if not result.ready():  # its greenlet was ended before it began
                result.set_exception(ConnectionLost(reason, **facts))
