"""Keys in the WSGI environment of a request, with which plugins and HTTP interfaces meet."""

from __future__ import annotations

from typing import Final

__all__ = ['TRACEPARENT_KEY', 'TRACE_FIELDS_KEY']

#: the ``traceparent`` of what a request causes, if it came with a valid one of its own
TRACEPARENT_KEY: Final = 'lymph.traceparent'
#: a function that returns the header fields which carry the current span to other HTTP servers
TRACE_FIELDS_KEY: Final = 'lymph.trace_fields'
