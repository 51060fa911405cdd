"""The trace id: names one request through all calls and events that it causes."""

from __future__ import annotations

import os
from contextvars import ContextVar

__all__ = ['get_id', 'new_id', 'set_id']

_trace_id: ContextVar[str | None] = ContextVar('lymph_trace_id', default=None)


def get_id() -> str | None:
    """Return the trace id of the current context, None outside of any."""
    return _trace_id.get()


def set_id(id: str | None = None) -> str:
    """Make `id`, or a new one, the trace id of the current context and return it."""
    if id is None:
        id = new_id()
    _trace_id.set(id)
    return id


def new_id() -> str:
    """Return a new trace id of 32 hexadecimal digits (the form of W3C Trace Context)."""
    return os.urandom(16).hex()
