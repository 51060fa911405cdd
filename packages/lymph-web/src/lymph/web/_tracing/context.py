"""W3C Trace Context: what ``traceparent`` and ``tracestate`` say. Source: its levels 1 and 2.

::

    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
                 |  trace id                         |                flags: 1 sampled, 2 random
                 version                             id of the caller's span

A field that breaks the rules is ignored, as the specification demands: the request is answered all
the same.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ['TraceParent', 'is_trace_id', 'parse_traceparent', 'parse_tracestate']

_PARENT: Final = re.compile(
    r'(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})'
    r'-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?'
)
_TRACE_ID: Final = re.compile(r'[0-9a-f]{32}')
_NO_TRACE: Final = '0' * 32
_NO_SPAN: Final = '0' * 16
_KNOWN_FLAGS: Final = 0x03  # sampled, and of level 2: the id is random; others are sent as zeros

_MEMBERS: Final = 32
_MEMBER: Final = re.compile(
    r'[a-z0-9][a-z0-9_*/@-]{0,255}'
    r'=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]'
)


class TraceParent(NamedTuple):
    """The trace that a request belongs to, its caller's span, and whether that is recorded."""

    trace_id: str
    span_id: str
    flags: int = 0

    @property
    def sampled(self) -> bool:
        """Whether the caller may have recorded its span."""
        return bool(self.flags & 1)

    def follow(self, span_id: str) -> str:
        """Return the ``traceparent`` to send with requests from `span_id`, a span of this trace."""
        return f'00-{self.trace_id}-{span_id}-{self.flags:02x}'


def parse_traceparent(text: str) -> TraceParent | None:
    """Return what a ``traceparent`` field says, None if it has to be ignored.

    A field of a later version than 00 may go on with a dash and more; that is not looked at.
    """
    found = _PARENT.fullmatch(text.strip(' \t'))
    if found is None or found['version'] == 'ff':
        return None
    if found['version'] == '00' and found['more'] is not None:
        return None
    if found['trace'] == _NO_TRACE or found['span'] == _NO_SPAN:
        return None
    return TraceParent(found['trace'], found['span'], int(found['flags'], 16) & _KNOWN_FLAGS)


def parse_tracestate(text: str) -> str:
    """Return what a ``tracestate`` field says without its empty members; empty if it is invalid."""
    members = [member for each in text.split(',') if (member := each.strip(' \t'))]
    if len(members) > _MEMBERS or not all(map(_MEMBER.fullmatch, members)):
        return ''
    keys = {member.partition('=')[0] for member in members}
    return ','.join(members) if len(keys) == len(members) else ''


def is_trace_id(id: str) -> bool:
    """Tell whether a trace id can be that of a ``traceparent``; those that lymph makes can."""
    return _TRACE_ID.fullmatch(id) is not None and id != _NO_TRACE
