"""The messages of MCP. Source: JSON-RPC 2.0.

::

    {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}         a request
    {"jsonrpc": "2.0", "method": "notifications/initialized"}                 a notification
    {"jsonrpc": "2.0", "id": 1, "result": {}}                                 a result
    {"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": ""}}     an error

MCP is stricter: an id is text or a whole number, and `params` is an object. A body has one message,
or in some versions a list of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from lymph.config.printable import quoted
from lymph.exceptions import LymphError
from lymph.web._gateway.json_values import parse_json, read_arguments

__all__ = [
    'HEADER_MISMATCH',
    'INVALID_PARAMS',
    'INVALID_REQUEST',
    'METHOD_NOT_FOUND',
    'PARSE_ERROR',
    'UNSUPPORTED_VERSION',
    'McpError',
    'McpMessage',
    'read_body',
    'result_of',
]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022

Id = str | int | None


class McpError(LymphError):
    """An error for the client; `id` is that of the request, None if it cannot be told."""

    def __init__(self, code: int, text: str, id: Id = None, data: Any = None) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.id = id
        self.data = data

    def message(self) -> dict[str, Any]:
        """Return the error as a message."""
        error: dict[str, Any] = {'code': self.code, 'message': self.text}
        if self.data is not None:
            error['data'] = self.data
        return {'jsonrpc': '2.0', 'id': self.id, 'error': error}


@dataclass(frozen=True)
class McpMessage:
    """A message from a client: a request if it has an id, else a notification.

    `method` is None for the answer to a request of the server, of which there are none here.
    `arguments` are those of a tool, as a call takes them; None if `misfit` says why they cannot be.
    """

    method: str | None
    id: Id = None
    params: dict[str, Any] = field(default_factory=dict)
    arguments: dict[str, Any] | None = None
    misfit: str = ''

    @property
    def is_request(self) -> bool:
        """Whether the client waits for an answer."""
        return self.method is not None and self.id is not None

    @property
    def meta(self) -> dict[str, Any]:
        """What the request says about itself, in `_meta`; empty if it says nothing."""
        found = self.params.get('_meta')
        return found if isinstance(found, dict) else {}


def read_body(data: bytes) -> McpMessage | list[McpMessage | McpError]:
    """Return the message in a body, or its list of messages, with an error for each that is none.

    Raises McpError for a body that is neither.
    """
    try:
        value = parse_json(data)
    except ValueError as error:
        raise McpError(PARSE_ERROR, f'the body is not JSON: {error}') from None
    return [_read_or_error(each) for each in value] if isinstance(value, list) else _read(value)


def _read_or_error(value: Any) -> McpMessage | McpError:
    try:
        return _read(value)
    except McpError as error:
        return error


def _read(value: Any) -> McpMessage:
    if not isinstance(value, dict):
        raise McpError(INVALID_REQUEST, f'expected a message, found {quoted(value)}')
    id = _read_id(value)
    if value.get('jsonrpc') != '2.0':
        text = f'expected "jsonrpc": "2.0", found {quoted(value.get("jsonrpc"))}'
        raise McpError(INVALID_REQUEST, text, id)
    if 'method' not in value:
        if id is None or ('result' in value) == ('error' in value):
            raise McpError(INVALID_REQUEST, 'expected a method, a result or an error', id)
        return McpMessage(None, id)
    method, params = value['method'], value.get('params', {})
    if not isinstance(method, str):
        text = f'expected the method as text, found {quoted(method)}'
        raise McpError(INVALID_REQUEST, text, id)
    if not isinstance(params, dict):
        text = f'expected params as an object, found {quoted(params)}'
        raise McpError(INVALID_PARAMS, text, id)
    arguments = params.get('arguments', {})
    if method != 'tools/call' or not isinstance(arguments, dict):
        return McpMessage(method, id, params)
    try:
        return McpMessage(method, id, params, read_arguments(arguments))
    except ValueError as error:
        return McpMessage(method, id, params, misfit=str(error))


def result_of(message: McpMessage, result: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request as a message."""
    return {'jsonrpc': '2.0', 'id': message.id, 'result': result}


def _read_id(value: dict[str, Any]) -> Id:
    if 'id' not in value:
        return None
    id = value['id']
    if not isinstance(id, (str, int)) or isinstance(id, bool):
        text = f'expected an id that is text or a whole number, found {quoted(id)}'
        raise McpError(INVALID_REQUEST, text)
    return id
