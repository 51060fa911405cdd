"""Greenlets that inherit the context they were made in, and the group that ends them."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

import gevent
from gevent.pool import Group

__all__ = ['Greenlet', 'Pool']


class Greenlet(gevent.Greenlet):  # type: ignore[type-arg]  # generic in the stubs alone
    """A greenlet that starts with a copy of its maker's contextvars.

    gevent starts greenlets in an empty context, which would lose the trace id and the deadline.
    """

    def __init__(self, run: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(run, *args, **kwargs)
        self.gr_context = contextvars.copy_context()


class Pool(Group):
    """The lasting greenlets of a tree of components; `kill()` ends all of them.

    Handlers of calls and events do not run here but in `lymph.core.workers.Workers`.
    """

    greenlet_class = Greenlet
