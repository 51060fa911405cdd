"""The methods of MCP: what a client may ask, and the answers.

===================  ===================  ===================================================
method               versions             result
===================  ===================  ===================================================
initialize           up to 2025-11-25     the version to use, and what the server can do
ping                 up to 2025-11-25     nothing
server/discover      from 2026-07-28      the supported versions, and what the server can do
tools/list           all                  a page of tools
tools/call           all                  the result of a call, or why there is none
===================  ===================  ===================================================

Nothing is remembered between two requests, so that each may reach another process.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any, Final, Protocol

from lymph.config.printable import quoted
from lymph.web._gateway.mcp.messages import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    McpError,
    McpMessage,
    result_of,
)
from lymph.web._gateway.mcp.outcomes import problem_result, success
from lymph.web._gateway.mcp.tools import Tools
from lymph.web._gateway.mcp.versions import AGREED, LATEST_AGREED, SELF_CONTAINED, SUPPORTED
from lymph.web._gateway.problems import CallProblem

__all__ = ['McpMethods', 'ToolCaller']

_FRESH: Final = 5000  # milliseconds for which the catalogue does not look again either
_CAPABILITIES: Final[dict[str, Any]] = {'tools': {}}
_SERVER_INFO: Final = 'io.modelcontextprotocol/serverInfo'

_Answers = dict[str, Callable[[McpMessage], dict[str, Any]]]


def _version() -> str:
    try:
        return metadata.version('lymph-web')
    except metadata.PackageNotFoundError:  # run from a folder
        return 'unknown'


class ToolCaller(Protocol):
    """Calls an allowed method for a client; raises CallProblem."""

    def __call__(self, name: str, arguments: dict[str, Any], /) -> Any: ...


class McpMethods:
    """Answers requests."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._info = {'name': 'lymph-gateway', 'version': _version()}
        self._agreed: _Answers = {
            'initialize': self._initialize,
            'ping': lambda message: {},
            'tools/list': self._list,
        }
        self._self_contained: _Answers = {
            'server/discover': self._discover,
            'tools/list': self._list,
        }

    def answer(self, message: McpMessage, version: str, call: ToolCaller) -> dict[str, Any]:
        """Return the answer to a request in a version; `call` calls a tool. Raises McpError."""
        alone = version in SELF_CONTAINED
        method = (self._self_contained if alone else self._agreed).get(message.method or '')
        if message.method == 'tools/call':
            result = self._call_tool(message, call)
        elif method is not None:
            result = method(message)
        else:
            text = f'there is no method {quoted(message.method)} in version {version}'
            raise McpError(METHOD_NOT_FOUND, text, message.id)
        if alone:
            meta = {**result.get('_meta', {}), _SERVER_INFO: self._info}
            result = {**result, 'resultType': 'complete', '_meta': meta}
            if message.method != 'tools/call':
                result.update(ttlMs=_FRESH, cacheScope='private')
        return result_of(message, result)

    def _initialize(self, message: McpMessage) -> dict[str, Any]:
        asked = message.params.get('protocolVersion')
        if not isinstance(asked, str):
            raise McpError(INVALID_PARAMS, 'expected protocolVersion as text', message.id)
        return {
            'protocolVersion': asked if asked in AGREED else LATEST_AGREED,
            'capabilities': _CAPABILITIES,
            'serverInfo': self._info,
        }

    def _discover(self, message: McpMessage) -> dict[str, Any]:
        return {'supportedVersions': list(SUPPORTED), 'capabilities': _CAPABILITIES}

    def _list(self, message: McpMessage) -> dict[str, Any]:
        cursor = message.params.get('cursor')
        if not isinstance(cursor, (str, type(None))):
            raise McpError(INVALID_PARAMS, 'expected the cursor as text', message.id)
        try:
            tools, following = self._tools.page(cursor)
        except ValueError as error:
            raise McpError(INVALID_PARAMS, str(error), message.id) from None
        return {'tools': tools, **({} if following is None else {'nextCursor': following})}

    def _call_tool(self, message: McpMessage, call: ToolCaller) -> dict[str, Any]:
        name = message.params.get('name')
        if not isinstance(name, str):
            raise McpError(INVALID_PARAMS, 'expected the name of a tool as text', message.id)
        if message.arguments is None and not message.misfit:
            raise McpError(INVALID_PARAMS, 'expected the arguments as an object', message.id)
        method = self._tools.find(name)
        if method is None:
            raise self._unknown(name, message)
        try:
            if message.arguments is None:
                text = f'The arguments cannot be read: {message.misfit}'
                raise CallProblem(400, 'malformed', text)
            return success(method, call(name, message.arguments))
        except CallProblem as problem:
            if problem.reason == 'unknown_method':  # it has gone meanwhile
                raise self._unknown(name, message) from None
            return problem_result(problem)

    @staticmethod
    def _unknown(name: str, message: McpMessage) -> McpError:
        return McpError(INVALID_PARAMS, f'there is no tool {quoted(name)}', message.id)
