"""Ids of traces and spans that agree with lymph's trace ids.

=====================  ==========================================================================
lymph's trace id       the trace id of its spans
=====================  ==========================================================================
32 hexadecimal digits  the same: those that lymph makes, and those of a ``traceparent``
any other              16 bytes of its BLAKE2 hash, the same in every process
=====================  ==========================================================================

The span of an attempt to handle an event has an id that follows from the event, its queue and the
number of the attempt. So a later attempt can link to the earlier ones, although another process
made them.
"""

from __future__ import annotations

import random
import re
from contextvars import ContextVar
from hashlib import blake2b
from typing import Final

from opentelemetry.sdk.trace.id_generator import IdGenerator

from lymph.core import trace

__all__ = ['Ids', 'attempt_span_id', 'trace_id_of', 'wanted']

_W3C: Final = re.compile('[0-9a-f]{32}')

#: ids of the span that is made in this context: trace id, and span id or 0 for a random one
wanted: ContextVar[tuple[int, int] | None] = ContextVar('lymph_wanted_ids', default=None)


def trace_id_of(id: str) -> int:
    """Return the trace id of the spans of a trace of lymph."""
    found = int(id, 16) if _W3C.fullmatch(id) else 0
    return found or int.from_bytes(blake2b(id.encode(), digest_size=16).digest(), 'big') or 1


def attempt_span_id(*facts: object) -> int:
    """Return the id of the span of an attempt, made of the facts that tell it from others."""
    text = '\n'.join(map(str, facts))
    return (
        int.from_bytes(blake2b(text.encode(errors='replace'), digest_size=8).digest(), 'big') or 1
    )


class Ids(IdGenerator):
    """Makes the ids that are `wanted`; spans that a program begins itself join lymph's trace."""

    def generate_trace_id(self) -> int:
        """Return the wanted trace id, that of the current trace of lymph, or a new one."""
        ids = wanted.get()
        return ids[0] if ids is not None else trace_id_of(trace.get_id() or trace.new_id())

    def generate_span_id(self) -> int:
        """Return the wanted span id, or a random one."""
        ids = wanted.get()
        if ids is not None and ids[1]:
            return ids[1]
        return random.getrandbits(64) or 1
