"""The trace id: names one request through all calls and events that it causes."""

from __future__ import annotations

import itertools
import os
import re
from contextvars import ContextVar

from lymph.config.printable import quoted
from lymph.core.limits import TRACE_ID

__all__ = ['RULE', 'check_id', 'get_id', 'go_on', 'is_valid', 'new_id', 'set_id']

#: what an id is, in words
RULE = f'1 to {TRACE_ID} letters, digits and ._:-'
_VALID = re.compile(rf'[A-Za-z0-9._:-]{{1,{TRACE_ID}}}')

_trace_id: ContextVar[str | None] = ContextVar('lymph_trace_id', default=None)


def get_id() -> str | None:
    """Return the trace id of the current context, None outside of any."""
    return _trace_id.get()


def set_id(id: str | None = None) -> str:
    """Make `id`, or a new one, the trace id of the current context and return it.

    Raises ValueError for an id that is not valid.
    """
    if id is None:
        id = new_id()
    else:
        check_id(id)
    _trace_id.set(id)
    return id


def go_on(id: str | None) -> None:
    """Make `id`, which is valid, or a new one, the trace id of the current context."""
    _trace_id.set(new_id() if id is None else id)


def new_id() -> str:
    """Return a new trace id of 32 hexadecimal digits (the form of W3C Trace Context).

    Half of it is random and one for the process, half a counter: reading 16 random bytes for each
    id would cost more than packing the message that carries it.
    """
    return f'{_source.prefix}{next(_source.counter):016x}'


def check_id(id: object) -> None:
    """Raise ValueError for what cannot be a trace id (see `RULE`)."""
    if not is_valid(id):
        raise ValueError(f'expected a trace id of {RULE}, found {quoted(id)}')


def is_valid(id: object) -> bool:
    """Tell whether `id` can be a trace id: 1 to 128 letters, digits, and ``._:-``.

    Whatever arrives from outside is checked, since trace ids are repeated in every log line and
    every further call.
    """
    if not isinstance(id, str) or len(id) > TRACE_ID:
        return False
    if id.isalnum() and id.isascii():
        return True  # as lymph's own, and much faster
    return _VALID.fullmatch(id) is not None


class _Source:
    """Where this process's ids come from; a forked child has a prefix of its own."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.prefix = os.urandom(8).hex()
        self.counter = itertools.count(1)


_source = _Source()
os.register_at_fork(after_in_child=_source.renew)
