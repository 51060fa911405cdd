"""What a handler may return, and the response that it becomes.

==========================================  ====================================================
returned                                    sent
==========================================  ====================================================
a werkzeug Response, any WSGI application   as it is
`str` or `bytes`                            as HTML
`dict` or `list`                            as JSON; dates, sets and other values of calls take
                                            the form that `lymph.serializers.json.plain` gives
                                            them
`(value, status)`, `(value, headers)`,      a value of the kinds above with this status and these
`(value, status, headers)`                  headers, which a Response gets in place of its own
an HTTPException                            as if it was raised
==========================================  ====================================================
"""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from lymph.exceptions import SerializationError
from lymph.serializers.json import plain

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ['application_of']


def application_of(value: Any, whose: str, status: int = 200) -> WSGIApplication:
    """Return what sends `value`, which a handler returned; `whose` names the handler in errors.

    `status` is that of values that bring none. Raises TypeError for a value of another kind, and
    the HTTPException that was returned.
    """
    if isinstance(value, Response):
        return value
    if isinstance(value, HTTPException):
        raise value
    if isinstance(value, tuple):
        return _with_facts(value, whose, status)
    if isinstance(value, (str, bytes)):
        return Response(value, status, mimetype='text/html')
    if isinstance(value, (dict, list)):
        return Response(_json(value, whose), status, mimetype='application/json')
    if callable(value) and not isinstance(value, type):
        application: WSGIApplication = value
        return application
    raise _misfit(value, whose)


def _with_facts(value: tuple[Any, ...], whose: str, status: int) -> WSGIApplication:
    rest = list(value[1:])
    given = rest.pop(0) if rest and isinstance(rest[0], (int, str)) else None
    headers = rest.pop(0) if rest else None
    if rest or len(value) < 2 or isinstance(value[0], tuple) or isinstance(given, bool):
        raise _misfit(value, whose)
    response = application_of(value[0], whose, status)
    if not isinstance(response, Response):
        raise TypeError(
            f'expected {whose} to return a tuple with a werkzeug Response, text, bytes, dict or '
            f'list, found {type(value[0]).__name__}'
        )
    if isinstance(given, str):
        response.status = given
    elif given is not None:
        response.status_code = given
    if headers is not None:
        response.headers.update(_headers(headers, whose))
    return response


def _headers(given: Any, whose: str) -> Headers:
    if isinstance(given, (Mapping, list, Headers)):
        try:
            return Headers(given)
        except (TypeError, ValueError):
            pass
    raise TypeError(
        f'expected {whose} to return headers as a mapping or a list of pairs of text, '
        f'found {type(given).__name__}'
    )


def _json(value: Any, whose: str) -> str:
    try:
        return json.dumps(plain(value), allow_nan=False) + '\n'
    except (SerializationError, ValueError) as error:
        raise TypeError(f'expected {whose} to return values of JSON: {error}') from error


def _misfit(value: Any, whose: str) -> TypeError:
    found = f'found {type(value).__name__}'
    if isinstance(value, types.CoroutineType):
        value.close()  # otherwise Python warns that it was never awaited
        found += ', which nothing runs; declare a plain `def`'
    if isinstance(value, types.GeneratorType):
        found += '; wrap it in a Response to stream it'
    return TypeError(
        f'expected {whose} to return a werkzeug Response, text, bytes, a dict or list for JSON, '
        f'or a tuple of one of these with a status, headers, or both; {found}'
    )
