"""The OpenAPI 3.1 document of a gateway (https://spec.openapis.org/oas/v3.1.0).

The same methods give the same document, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from werkzeug.http import HTTP_STATUS_CODES

from lymph.web._gateway.descriptions import AllowedMethod
from lymph.web._gateway.responses import PROBLEM
from lymph.web._gateway.schema_names import Components
from lymph.web._options.deadlines import TIMEOUT_HEADER

__all__ = ['openapi_document']

Facts = dict[str, Any]

_DIALECT: Final = 'https://json-schema.org/draft/2020-12/schema'

#: what the statuses of problems mean for an operation
_PROBLEMS: Final[dict[int, str]] = {
    400: 'The request or its arguments are invalid; the method did not run.',
    403: 'The service does not allow this call; the method did not run.',
    404: 'There is no such method or version, or it is not allowed; the method did not run.',
    405: 'Methods are called with POST.',
    406: 'The client does not accept JSON; the method did not run.',
    408: 'The request did not arrive in time; the method did not run.',
    409: 'The first request with this Idempotency-Key is not answered yet, or its answer is lost.',
    413: 'The body is too large; the method did not run.',
    415: 'The body is not JSON; the method did not run.',
    421: 'The gateway does not answer for the host of this request; the method did not run.',
    422: 'The method raised an error that it declares, or the Idempotency-Key was used before.',
    500: 'The method failed, or its result has no form in JSON.',
    502: 'The connection to the service broke; the method may have run.',
    503: 'The service is not available or overloaded; the method did not run.',
    504: 'There was no answer in time; `may_have_run` tells whether the method may have run.',
}
_RETRIED: Final = frozenset((409, 503))

_PROBLEM: Final[Facts] = {
    'type': 'object',
    'description': 'Why there is no result (RFC 9457).',
    'properties': {
        'type': {'type': 'string', 'format': 'uri-reference'},
        'title': {'type': 'string', 'description': 'The phrase of the status.'},
        'status': {'type': 'integer', 'minimum': 400, 'maximum': 599},
        'detail': {'type': 'string', 'description': 'One sentence for people.'},
        'instance': {'type': 'string', 'description': 'The path that was asked for.'},
        'reason': {'type': 'string', 'description': 'One word for programs.'},
        'may_have_run': {
            'type': 'boolean',
            'description': 'False if the method certainly did not run, so that the request can be '
            'repeated.',
        },
        'path': {'type': 'string', 'description': 'The argument, or the part of it, to blame.'},
        'error_type': {'type': 'string', 'description': 'The class of a declared error.'},
        'trace_id': {'type': 'string', 'description': 'Finds the call in logs.'},
    },
    'required': ['title', 'status'],
}

_VERSION: Final[Facts] = {
    'name': 'version',
    'in': 'query',
    'description': 'The version of the interface: `1.2` means from 1.2.0 up to, but not including, '
    '2.0.0. By default the newest.',
    'schema': {'type': 'string', 'pattern': r'^[0-9]{1,9}(\.[0-9]{1,9}){0,2}$'},
}
_TIMEOUT: Final[Facts] = {
    'name': TIMEOUT_HEADER,
    'in': 'header',
    'description': 'Seconds to wait for the result; can only shorten what the gateway allows.',
    'schema': {'type': 'number', 'minimum': 0.001, 'maximum': 31536000},
}
_KEY: Final[Facts] = {
    'name': 'Idempotency-Key',
    'in': 'header',
    'description': 'Text in quotes. Another request with the same key gets the same answer, and '
    'the method does not run again.',
    'schema': {'type': 'string', 'pattern': r'^"[!#-\[\]-~]{1,255}"$'},
}
_TRACE: Final[Facts] = {
    'description': 'The trace id of the request, which finds it in logs.',
    'schema': {'type': 'string'},
}
_RETRY: Final[Facts] = {
    'description': 'Seconds after which to repeat the request.',
    'schema': {'type': 'integer', 'minimum': 0},
}
_PARAMETERS: Final = {'Version': _VERSION, 'Timeout': _TIMEOUT, 'IdempotencyKey': _KEY}
#: Operations do not list the headers: a tool that fills in every parameter would give all its
#: requests one idempotency key, and no time.
_DESCRIPTION: Final = """\
Calls methods of services: `POST` with a JSON object of the arguments. Every operation also takes
the headers `{timeout}` and `Idempotency-Key`, described in `components.parameters`."""
_HEADERS: Final = {'X-Trace-Id': _TRACE, 'Retry-After': _RETRY}


def openapi_document(
    title: str,
    version: str,
    server: str,
    methods: Iterable[AllowedMethod],
    docs: Mapping[str, str],
    faces: Mapping[str, Any] | None = None,
    timeout_header: str = TIMEOUT_HEADER,
) -> Facts:
    """Return the document about methods; `docs` are the docstrings of their interfaces.

    `server` is the URL under which paths begin. `faces` are what the gateway offers beside methods:
    `events`, the event types of `/api/events`, and `mcp`, true if there is `/api/mcp`.
    `timeout_header` is the field for deadlines.
    """
    components = Components()
    components.schemas['Problem'] = _PROBLEM
    ordered = sorted(methods, key=lambda each: each.full_name)
    paths = {
        f'/api/{each.interface}/{each.name}': {'post': _operation(each, components)}
        for each in ordered
    }
    interfaces = dict.fromkeys(each.interface for each in ordered)
    return {
        'openapi': '3.1.0',
        'info': {
            'title': title,
            'version': version,
            'description': _DESCRIPTION.replace('{timeout}', timeout_header),
        },
        'jsonSchemaDialect': _DIALECT,
        'servers': [{'url': server}],
        'tags': [_tag(interface, docs.get(interface, '')) for interface in interfaces],
        'paths': paths,
        **({'x-lymph': dict(faces)} if faces else {}),
        'components': {
            'schemas': dict(sorted(components.schemas.items())),
            'parameters': {**_PARAMETERS, 'Timeout': {**_TIMEOUT, 'name': timeout_header}},
            'headers': _HEADERS,
            'responses': {f'Problem{status}': _problem(status) for status in _PROBLEMS},
        },
    }


def _tag(interface: str, doc: str) -> Facts:
    return {'name': interface, **({'description': doc} if doc else {})}


def _operation(method: AllowedMethod, components: Components) -> Facts:
    name = method.full_name
    arguments = method.parameters or {'type': 'object'}
    summary = method.doc.strip().partition('\n')[0]
    body = components.add(method.interface, f'{name}.arguments', arguments)
    found: Facts = {
        'operationId': name,
        'tags': [method.interface],
        **({'summary': summary} if summary else {}),
        **({'description': method.doc} if method.doc else {}),
        'parameters': [_referred('parameters', 'Version')],
        'requestBody': {
            'required': bool(arguments.get('required')),
            'content': {'application/json': {'schema': body}},
        },
        'responses': {'200': _result(method, components), **_problems(method)},
        'x-lymph': {
            'idempotent': method.idempotent,
            'raises': list(method.raises),
            'version': method.version,
            'versions': list(method.versions),
        },
    }
    if method.schema_problem:
        found['x-lymph']['schema_problem'] = method.schema_problem
    return found


def _result(method: AllowedMethod, components: Components) -> Facts:
    name = f'{method.full_name}.result'
    schema = components.add(method.interface, name, method.result, result=True)
    return {
        'description': 'The result of the method.',
        'headers': {'X-Trace-Id': _referred('headers', 'X-Trace-Id')},
        'content': {'application/json': {'schema': schema}},
    }


def _problems(method: AllowedMethod) -> Facts:
    found = {str(status): _referred('responses', f'Problem{status}') for status in _PROBLEMS}
    if method.raises:
        names = ', '.join(method.raises)
        found['422'] = {**_problem(422), 'description': f'{_PROBLEMS[422]} It declares: {names}.'}
    return found


def _problem(status: int) -> Facts:
    headers = ['X-Trace-Id', *(['Retry-After'] if status in _RETRIED else [])]
    return {
        'description': _PROBLEMS.get(status, HTTP_STATUS_CODES.get(status, 'Error')),
        'headers': {each: _referred('headers', each) for each in headers},
        'content': {PROBLEM: {'schema': {'$ref': '#/components/schemas/Problem'}}},
    }


def _referred(kind: str, name: str) -> Facts:
    return {'$ref': f'#/components/{kind}/{name}'}
