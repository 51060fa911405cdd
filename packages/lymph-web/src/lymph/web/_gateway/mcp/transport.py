"""MCP over HTTP: ``POST /api/mcp`` with a message, and its answer as JSON.

Source: the specification, basic/transports, "Streamable HTTP". There are neither sessions nor
streams: each answer is complete, and the server has nothing to tell of its own accord, so GET and
DELETE get 405. A client gives a call up by closing the connection; ``notifications/cancelled``
changes nothing, since ids do not tell clients apart.

=====================================================  ======  =====================================
request                                                status  answer
=====================================================  ======  =====================================
a page of another site sent it                         403     an error
GET, DELETE and the like                               405     an error
the client does not accept JSON                        406     an error
the body is not declared as JSON                       415     an error
not JSON, no message, an unknown version               400     an error
a notification or a response                           202     nothing
a request that fails, up to 2025-11-25                 200     an error
a request that fails, from 2026-07-28 on               400     an error; 404 for an unknown method
any other request                                      200     a result
=====================================================  ======  =====================================
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wrappers import Request, Response

from lymph.core.backends import in_thread
from lymph.web._gateway.json_text import json_bytes
from lymph.web._gateway.mcp.messages import (
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    McpError,
    McpMessage,
    read_body,
)
from lymph.web._gateway.mcp.methods import McpMethods, ToolCaller
from lymph.web._gateway.mcp.origins import Origins
from lymph.web._gateway.mcp.versions import (
    AGREED,
    BATCHES,
    DEFAULT,
    SELF_CONTAINED,
    check_envelope,
    tells_version,
    unsupported,
)
from lymph.web._gateway.problems import CallProblem
from lymph.web._gateway.requests import SHORT, asked_timeout
from lymph.web._options.deadlines import TIMEOUT_HEADER

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['McpEndpoint']

_MESSAGES: Final = 20  # in one body
_HEADER: Final = 'MCP-Protocol-Version'


class McpEndpoint:
    """Answers requests for the URL of MCP.

    `call(environ, name, arguments, timeout)` calls an allowed method for the client of a request,
    who says in the header `timeout_header` how many seconds it waits.
    """

    def __init__(
        self,
        methods: McpMethods,
        call: Callable[[WSGIEnvironment, str, dict[str, Any], float | None], Any],
        origins: Origins,
        timeout_header: str = TIMEOUT_HEADER,
    ) -> None:
        self._methods = methods
        self._call = call
        self._origins = origins
        self._timeout_header = timeout_header

    def answer(self, request: Request) -> Response:
        """Return the answer to a request of any kind."""
        refused = self._refused(request)
        if refused is not None:
            return refused
        try:
            asked_timeout(request, self._timeout_header)  # refused before the body if it is invalid

            def call(name: str, arguments: dict[str, Any]) -> Any:
                timeout = asked_timeout(request, self._timeout_header)
                return self._call(request.environ, name, arguments, timeout)

            data = request.get_data()
            body = read_body(data) if len(data) <= SHORT else in_thread(read_body, data)
            if isinstance(body, list):
                return self._answer_all(body, request, call)
            return self._answer_one(body, request, call)
        except CallProblem as problem:
            return _error(McpError(INVALID_REQUEST, problem.detail), problem.status)
        except McpError as error:
            return _error(error)

    def _refused(self, request: Request) -> Response | None:
        headers = request.headers
        origin, host = headers.get('Origin'), headers.get('Host')
        if not self._origins.allows(origin, host, request.scheme):
            text = 'pages of this origin may not use MCP here; see the key mcp.origins'
            return _error(McpError(INVALID_REQUEST, text), 403)
        if request.method != 'POST':
            text = f'expected POST, found {request.method}'
            return _error(McpError(INVALID_REQUEST, text), 405, Allow='POST')
        if 'Accept' in headers and not request.accept_mimetypes.quality('application/json'):
            text = 'expected a client that accepts application/json'
            return _error(McpError(INVALID_REQUEST, text), 406)
        if request.mimetype != 'application/json':
            text = 'expected the Content-Type application/json'
            return _error(McpError(INVALID_REQUEST, text), 415)
        return None

    def _answer_one(self, message: McpMessage, request: Request, call: ToolCaller) -> Response:
        version = request.headers.get(_HEADER)
        alone = version in SELF_CONTAINED or tells_version(message)
        if not message.is_request:
            if version is not None and version not in (*SELF_CONTAINED, *AGREED):
                raise unsupported(version)
            if alone and message.method is None:
                raise McpError(INVALID_REQUEST, 'expected a request or a notification')
            return Response(status=202)
        if alone:
            check_envelope(message, request.headers.get)
            return _json(self._methods.answer(message, SELF_CONTAINED[0], call))
        # the version is agreed on by this request, whatever its header says
        if message.method == 'initialize':
            version = DEFAULT
        return _json(self._result(message, self._agreed(version, message), call))

    def _answer_all(
        self, body: list[McpMessage | McpError], request: Request, call: ToolCaller
    ) -> Response:
        version = self._agreed(request.headers.get(_HEADER))
        if version not in BATCHES:
            raise McpError(INVALID_REQUEST, f'version {version} expects one message, not several')
        if not 0 < len(body) <= _MESSAGES:
            text = f'expected 1 to {_MESSAGES} messages, found {len(body)}'
            raise McpError(INVALID_REQUEST, text)
        answers = [answer for each in body if (answer := self._one_of(each, version, call))]
        return _json(answers) if answers else Response(status=202)

    def _one_of(
        self, message: McpMessage | McpError, version: str, call: ToolCaller
    ) -> dict[str, Any] | None:
        if isinstance(message, McpError):
            return message.message()
        if message.method == 'initialize':
            text = 'initialize has to come alone'
            return McpError(INVALID_REQUEST, text, message.id).message()
        return self._result(message, version, call) if message.is_request else None

    def _result(self, message: McpMessage, version: str, call: ToolCaller) -> dict[str, Any]:
        try:
            return self._methods.answer(message, version, call)
        except McpError as error:
            return error.message()

    @staticmethod
    def _agreed(version: str | None, message: McpMessage | None = None) -> str:
        if version is None:
            return DEFAULT
        if version not in AGREED:
            raise unsupported(version, None if message is None else message.id)
        return version


def _error(error: McpError, status: int | None = None, **headers: str) -> Response:
    if status is None:
        status = 404 if error.code == METHOD_NOT_FOUND else 400
    response = _json(error.message(), status)
    response.headers.extend(headers)
    return response


def _json(value: Any, status: int = 200) -> Response:
    response = Response(json_bytes(value), status, mimetype='application/json')
    response.headers['Cache-Control'] = 'no-store'
    return response
