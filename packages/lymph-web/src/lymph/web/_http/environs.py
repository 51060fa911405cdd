"""The WSGI environment of a request (PEP 3333)."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from lymph.web._http.heads import Head

__all__ = ['ARRIVED_KEY', 'FROM_PROXY_KEY', 'LINK_KEY', 'RECEIVED_KEY', 'make_environ']

#: when a request arrived, a time of `time.monotonic`; only of one that had to wait for its turn
ARRIVED_KEY: Final = 'lymph.arrived'
#: there is a value if the peer is a trusted proxy
FROM_PROXY_KEY: Final = 'lymph.from_proxy'
#: the connection, which can tell when its client hangs up; see `HttpLink.watch_end`
LINK_KEY: Final = 'lymph.link'
#: the values that were replaced or removed because of a header field of proxies, by their keys
RECEIVED_KEY: Final = 'lymph.received'


def make_environ(base: dict[str, Any], head: Head, body: object) -> dict[str, Any]:
    """Return what a request says, added to a copy of `base`, which is that of its connection."""
    path = head.path
    environ = base.copy()
    environ.update(head.variables)
    environ['REQUEST_METHOD'] = head.method
    environ['PATH_INFO'] = unquote(path, encoding='latin-1') if '%' in path else path
    environ['QUERY_STRING'] = head.query
    environ['SERVER_PROTOCOL'] = head.version
    environ['wsgi.input'] = body
    if head.host is not None:
        environ['HTTP_HOST'] = head.host
    return environ
