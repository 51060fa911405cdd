"""Responses that are ready to be sent as they are, which is nearly all of werkzeug's.

As a WSGI application, a response copies its header fields, looks for those that it has to correct,
and wraps its body. That costs as much as routing. Where nothing would be corrected,
`whole_response` reads the same from the response itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wrappers import Response

from lymph.core._system.private_parts import as_expected
from lymph.web._http.opening import AnswerError, Opening

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['whole_response']

#: what makes the status, the fields and the body of a response; subclasses may override any of it
_MADE_BY: Final = (
    *('__call__', '__getattribute__', 'get_app_iter', 'get_wsgi_headers', 'get_wsgi_response'),
    *('close', 'iter_encoded', 'is_sequence', 'headers', 'status', 'status_code'),
)
#: the functions of `call_on_close`, without which a response has nothing to close
_TELLS_CALLBACKS: Final = as_expected(
    'werkzeug', 'Response._on_close', lambda: hasattr(Response(), '_on_close')
)
#: fields that werkzeug may correct
_CORRECTED: Final = frozenset(('location', 'content-location'))


def whole_response(
    response: object, environ: WSGIEnvironment
) -> tuple[Opening, list[bytes]] | None:
    """Return what a werkzeug response begins with, and its body; None if it is to be called.

    These are what the response would answer as a WSGI application. Nothing has to be closed.
    """
    cls: Any = type(response)  # mypy takes the hash of the objects for that of the class
    if not isinstance(response, Response) or not _is_plain(cls) or response._on_close:  # noqa: SLF001
        return None
    parts = response.response
    if type(parts) is not list or len(parts) != 1 or environ['REQUEST_METHOD'] == 'HEAD':
        return None
    if type(parts[0]) is not bytes:
        return None
    opening = Opening()
    try:
        opening.start(response.status, list(iter(response.headers)))
    except AnswerError:
        return None  # unless it is corrected, it is refused when it is called
    code = opening.code
    if opening.length is None or code < 200 or code == 204 or code == 304:
        return None
    return (opening, parts) if _CORRECTED.isdisjoint(opening.names) else None


@lru_cache(64)
def _is_plain(cls: type[Response]) -> bool:
    return _TELLS_CALLBACKS and all(
        getattr(cls, name, None) is getattr(Response, name, None) for name in _MADE_BY
    )
