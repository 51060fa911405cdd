"""Responses that are ready to be sent as they are, which is nearly all of werkzeug's.

As a WSGI application, a response copies its header fields, looks for those that it has to correct,
and wraps its body. That costs as much as routing. Where nothing would be corrected,
`whole_response` reads the same from the response itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['whole_response']

#: what makes the status, the fields and the body of a response; subclasses may override any of it
_MADE_BY: Final = (
    *('__call__', '__getattribute__', 'get_app_iter', 'get_wsgi_headers', 'get_wsgi_response'),
    *('iter_encoded', 'is_sequence', 'headers', 'status', 'status_code'),
)
#: fields that werkzeug may correct
_CORRECTED: Final = frozenset(('location', 'content-location'))


def whole_response(
    response: object, environ: WSGIEnvironment
) -> tuple[Response, str, list[tuple[str, str]], list[bytes]] | None:
    """Return a werkzeug response, its status, header fields and body; None if it is to be called.

    These are what the response would answer as a WSGI application; `Response.close` is left to be
    called.
    """
    cls: Any = type(response)  # mypy takes the hash of the objects for that of the class
    if not isinstance(response, Response) or not _is_plain(cls):
        return None
    parts = response.response
    if type(parts) is not list or len(parts) != 1 or environ['REQUEST_METHOD'] == 'HEAD':
        return None
    body, code = parts[0], response.status_code
    if type(body) is not bytes or code < 200 or code in (204, 304):
        return None
    fields = list(response.headers)
    names = [name.lower() for name, _ in fields]
    if 'content-length' not in names or not _CORRECTED.isdisjoint(names):
        return None
    return response, response.status, fields, parts


@lru_cache(64)
def _is_plain(cls: type[Response]) -> bool:
    return all(getattr(cls, name, None) is getattr(Response, name, None) for name in _MADE_BY)
