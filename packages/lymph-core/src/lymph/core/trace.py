"""Trace ids: the same id marks a request and all calls and events that it causes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextvars import ContextVar

from lymph.config.printable import quoted
from lymph.core.limits import TRACE_ID

__all__ = ['RULE', 'check_id', 'get_id', 'go_on', 'is_valid', 'new_id', 'set_id']

#: the rule for a trace id, in words
RULE = f'1 to {TRACE_ID} letters, digits and ._:-'
_VALID = re.compile(rf'[A-Za-z0-9._:-]{{1,{TRACE_ID}}}')

_trace_id: ContextVar[str | None] = ContextVar('lymph_trace_id', default=None)


def get_id() -> str | None:
    """Return the trace id of the current context, None if it has none."""
    return _trace_id.get()


def set_id(id: str | None = None) -> str:
    """Set the trace id of the current context to `id`, or to a new one for None; return it.

    Raises ValueError for an invalid id.
    """
    if id is None:
        id = new_id()
    else:
        check_id(id)
    _trace_id.set(id)
    return id


def go_on(id: str | None) -> None:
    """Set the trace id of the current context to `id`, or to a new one for None.

    Does not check `id`: the caller has done so.
    """
    _trace_id.set(new_id() if id is None else id)


def new_id() -> str:
    """Return a new trace id of 32 hexadecimal digits (the form of W3C Trace Context).

    All 16 bytes are random: samplers decide by the last 8 bytes alone, and rely on their being
    evenly spread. No id is made a second time, also not by a forked child.
    """
    try:
        return next(_source.ids)
    except StopIteration:
        return _source.refilled()


def check_id(id: object) -> None:
    """Raise ValueError unless `id` is a valid trace id (see `RULE`)."""
    if not is_valid(id):
        raise ValueError(f'expected a trace id of {RULE}, found {quoted(id)}')


def is_valid(id: object) -> bool:
    """Tell whether `id` is a valid trace id: 1 to 128 letters, digits, and ``._:-``.

    Ids from outside are checked, since they are copied into log lines and further calls.
    """
    if not isinstance(id, str) or len(id) > TRACE_ID:
        return False
    if id.isalnum() and id.isascii():
        return True  # lymph's own ids end here: much faster than the regular expression
    return _VALID.fullmatch(id) is not None


class _Source:
    """Ids that are ready for use, made many at a time.

    Reading 16 random bytes for each id would cost more than packing the message that carries it.
    `next` takes an id in one step, so two threads never get the same one. If two of them refill the
    source at once, one list is lost, and nothing else. Nobody gets the zeros that W3C Trace Context
    forbids: 128 random bits are never all zero.
    """

    _COUNT = 256

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Drop all ids; a forked child may not use those of its parent."""
        self.ids: Iterator[str] = iter(())

    def refilled(self) -> str:
        """Make new ids, and return one of them."""
        digits = os.urandom(16 * self._COUNT).hex()
        ids = iter([digits[at : at + 32] for at in range(0, len(digits), 32)])
        taken = next(ids)
        self.ids = ids
        return taken


_source = _Source()
os.register_at_fork(after_in_child=_source.renew)
