"""Greenlets that inherit the context they were made in, and the group that ends them.

A new greenlet inherits the trace id, and its calls and events have the same origin, but it inherits
neither the deadline nor the resources of the unit of work: background work that a handler starts
may take longer than the caller of the handler waits, and than the handler.
"""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any, ParamSpec

import gevent
from gevent.pool import Group

from lymph.core._loop import deadlines
from lymph.core._loop.current_call import current_work, set_current_work
from lymph.core._system.threads import get_ident
from lymph.core._work.shield import CLOSING, Shieldable, cut_closing, kill_in_time
from lymph.core._work.units import leave_unit
from lymph.core.failures import Killed
from lymph.exceptions import WrongThread

__all__ = ['EndsByKilled', 'Greenlet', 'Pool', 'kill_in_time']

P = ParamSpec('P')


class EndsByKilled:
    """Mixin for greenlets and groups: `kill` raises `Killed` in them by default."""

    __slots__ = ()

    def kill(
        self,
        exception: BaseException | type[BaseException] = Killed,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """Raise `exception` in every greenlet; see `gevent.Greenlet.kill` and `Group.kill`."""
        super().kill(exception, block, timeout)  # type: ignore[misc]  # of the other base class


class Greenlet(EndsByKilled, Shieldable, gevent.Greenlet):  # type: ignore[type-arg]  # of stubs
    """A greenlet that starts with a copy of its creator's context, without deadline and unit.

    gevent starts greenlets in an empty context, where the trace id would be lost.
    """

    def __init__(self, run: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        super().__init__(run, *args, **kwargs)
        context = contextvars.copy_context()
        context.run(set_current_work, current_work())
        context.run(deadlines.set_current, None)
        context.run(leave_unit)
        self.gr_context = context


class Pool(EndsByKilled, Group):
    """The long-running greenlets of a tree of components; `kill()` ends all of them.

    Handlers of calls and events run in `lymph.core.workers.Workers` instead.
    """

    greenlet_class = Greenlet

    def __init__(self) -> None:
        super().__init__()
        self._thread = get_ident()

    def check_thread(self) -> None:
        """Raise WrongThread unless this is the native thread in which the pool was made."""
        if get_ident() != self._thread:
            raise WrongThread('a greenlet was started')

    def spawn(self, *args: Any, **kwargs: Any) -> Any:
        """Start a greenlet of the pool; see `gevent.pool.Group.spawn`. Raises WrongThread."""
        self.check_thread()
        return super().spawn(*args, **kwargs)

    def kill(
        self,
        exception: BaseException | type[BaseException] = Killed,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """End all greenlets; see `gevent.pool.Group.kill`.

        Those that still close resources after `timeout` seconds, or after a second, are cut.
        """
        super().kill(exception, block, CLOSING if timeout is None else timeout)
        if block:
            cut_closing(self)
            if timeout is None:
                super().kill(exception)

    def killone(
        self,
        greenlet: Any,
        exception: BaseException | type[BaseException] = Killed,
        block: bool = True,
        timeout: float | None = None,
    ) -> None:
        """End one greenlet by raising `exception` in it; see `gevent.pool.Group.killone`."""
        super().killone(greenlet, exception, block, timeout)
