"""What requests for data say: their query, or a JSON object. Everything else is refused."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Request, Response

from lymph.config.printable import quoted
from lymph.web._gateway.json_text import json_bytes
from lymph.web._gateway.requests import parse_arguments, read_request

__all__ = ['data_response', 'query_of', 'read_object', 'whole_number']

_LONGEST: Final = 1000  # characters of a value in a query


def query_of(request: Request, names: Collection[str]) -> dict[str, str]:
    """Return the parameters of a query, each of which may be there once. Raises BadRequest."""
    for name in request.args:
        if name not in names:
            known = f'; known are {", ".join(names)}' if names else ''
            raise BadRequest(f'The query has an unknown parameter {quoted(name)}{known}.')
        values = request.args.getlist(name)
        if len(values) > 1:
            raise BadRequest(f'The query has {name} more than once.')
        if len(values[0]) > _LONGEST:
            raise BadRequest(f'The query has a {name} of more than {_LONGEST} characters.')
    return {name: request.args[name] for name in request.args}


def whole_number(text: str | None, name: str, default: int, most: int) -> int:
    """Return a number of a query, from 1 to `most`. Raises BadRequest."""
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and 1 <= int(text) <= most):
        raise BadRequest(f'{name}: expected a number from 1 to {most}, found {quoted(text)}.')
    return int(text)


def read_object(request: Request, names: Collection[str]) -> dict[str, Any]:
    """Return the JSON object in a body, with no other members than these.

    Raises CallProblem for what is not JSON or not sent as such, BadRequest for other members.
    """
    found = parse_arguments(read_request(request).body)
    for name in found:
        if name not in names:
            text = f'The body has an unknown member {quoted(name)}; known are {", ".join(names)}.'
            raise BadRequest(text)
    return found


def data_response(value: Any) -> Response:
    """Return the answer with a value of JSON types."""
    response = Response(json_bytes(value) + b'\n', mimetype='application/json')
    response.headers['Cache-Control'] = 'no-store'
    response.headers['X-Content-Type-Options'] = 'nosniff'
    return response
