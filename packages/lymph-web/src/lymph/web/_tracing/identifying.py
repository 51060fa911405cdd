"""The trace id of a request, and the header fields that carry it: the section `tracing`."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lymph.config import ConfigView
from lymph.core import trace
from lymph.core._work.environment import TRACEPARENT_KEY
from lymph.core.options import refuse_unknown
from lymph.web._tracing.context import parse_traceparent

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['HEADER_KEY', 'TRACE_HEADER', 'TRACE_KEY', 'Tracing', 'new_span_id']

TRACE_HEADER: Final = 'X-Trace-Id'
#: of a request, in its WSGI environment
TRACE_KEY: Final = 'lymph.trace_id'
#: the header field with the trace ids of requests, in the WSGI environment, if it was renamed
HEADER_KEY: Final = 'lymph.trace_header'

_NAME: Final = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]+")  # without _, which no request may have
_TAKEN: Final = frozenset(
    {
        *('connection', 'content-length', 'content-type', 'cookie', 'date', 'host', 'set-cookie'),
        *('traceparent', 'tracestate', 'transfer-encoding'),
    }
)


@dataclass(frozen=True)
class Tracing:
    """The names of the header fields with the trace id; keys of the section `tracing`.

    ===============  ============  =================================================================
    key              default       meaning
    ===============  ============  =================================================================
    request_header   X-Trace-Id    the field of a request that may have its trace id
    response_header  X-Trace-Id    the field of an answer that has it
    ===============  ============  =================================================================
    """

    request_header: str = TRACE_HEADER
    response_header: str = TRACE_HEADER
    #: of `request_header`, in a WSGI environment
    request_key: str = 'HTTP_X_TRACE_ID'
    #: the fields of an answer that are set here, in lower case
    answered: frozenset[str] = frozenset((TRACE_HEADER.lower(), 'traceparent'))

    @classmethod
    def from_config(cls, config: ConfigView) -> Tracing:
        """Read the section. Raises ConfigurationError for a name that cannot be used."""
        refuse_unknown(config, ('request_header', 'response_header'), plain=True)
        request = _name(config, 'request_header')
        key = f'HTTP_{request.upper().replace("-", "_")}'
        response = _name(config, 'response_header')
        return cls(request, response, key, frozenset((response.lower(), 'traceparent')))

    def id_of(self, environ: WSGIEnvironment) -> str:
        """Return the trace id of a request.

        The first of these that is valid: what was set in the environment, the trace of
        ``traceparent``, the id in `request_header`, a new one. ``traceparent`` comes before an id
        of one's own since every hop on the way keeps it.

        For a valid ``traceparent``, the one to send on is added to the environment.
        """
        if self.request_header != TRACE_HEADER:
            environ[HEADER_KEY] = self.request_header
        id = environ.get(TRACE_KEY)
        if id is not None and trace.is_valid(id):
            return str(id)
        text = environ.get('HTTP_TRACEPARENT')
        parent = None if text is None else parse_traceparent(text)
        if parent is not None:
            environ[TRACEPARENT_KEY] = parent.follow(new_span_id())
            return parent.trace_id
        id = environ.get(self.request_key)
        return str(id) if id is not None and trace.is_valid(id) else trace.new_id()


def new_span_id() -> str:
    """Return the id of a new span."""
    return os.urandom(8).hex()


def _name(config: ConfigView, key: str) -> str:
    name = config.get_line(key, TRACE_HEADER)
    if not _NAME.fullmatch(name) or name.lower() in _TAKEN:
        found = config.describe(key)
        raise config.error(key, f"expected a header field such as 'X-Request-Id', found {found}")
    return name
