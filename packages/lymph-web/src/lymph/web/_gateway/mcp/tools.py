"""Allowed methods as tools: their names, schemas and pages.

A tool is called like its method. Protocol versions before 2026-07-28 know only objects as results,
so any other result becomes ``{"result": ...}``, in the schema as well as in each answer. Methods
whose names do not have the form of a tool's name are left out.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any, Final

from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.descriptions import AllowedMethod

__all__ = ['PAGE', 'Tools', 'returns_object']

#: tools in one answer
PAGE: Final = 100
#: Source: the specification of 2025-11-25, server/tools, "Tool Names".
_NAME: Final = re.compile(r'[A-Za-z0-9_.-]{1,128}')

Schema = dict[str, Any]


class Tools:
    """The methods that are tools; `methods()` returns all that are allowed and exist.

    `chosen` says which of them are tools; with None it is those that are declared idempotent.
    """

    def __init__(
        self, methods: Callable[[], Iterable[AllowedMethod]], chosen: Allowed | None
    ) -> None:
        self._methods = methods
        self._chosen = chosen

    def page(self, cursor: str | None) -> tuple[list[dict[str, Any]], str | None]:
        """Return the tools after `cursor`, and the cursor of the next page, None at the end.

        A cursor is a name: another process can continue, also when methods come and go. Raises
        ValueError.
        """
        tools = sorted(filter(self._is_tool, self._methods()), key=_name)
        start = 0 if cursor is None else bisect_right(tools, _read(cursor), key=_name)
        page = tools[start : start + PAGE]
        more = len(tools) > start + PAGE
        return [_described(each) for each in page], _cursor(_name(page[-1])) if more else None

    def find(self, name: str) -> AllowedMethod | None:
        """Return the method behind a tool, None if there is no such tool."""
        found = (each for each in self._methods() if each.full_name == name)
        return next(filter(self._is_tool, found), None)

    def _is_tool(self, method: AllowedMethod) -> bool:
        if _NAME.fullmatch(method.full_name) is None:
            return False
        if self._chosen is None:
            return method.idempotent
        return self._chosen.admits(method.interface, method.name)


def returns_object(method: AllowedMethod) -> bool:
    """Tell whether all results of a method are objects, by its schema."""
    schema: Any = method.result
    for _ in range(len(method.result.get('$defs', ())) + 1):
        reference = schema.get('$ref')
        if not isinstance(reference, str):
            break
        schema = method.result.get('$defs', {}).get(reference.removeprefix('#/$defs/'))
        if not isinstance(schema, dict):
            return False
    return bool(schema.get('type') == 'object')


def _described(method: AllowedMethod) -> dict[str, Any]:
    tool: dict[str, Any] = {
        'name': method.full_name,
        'description': method.doc or f'Calls {method.full_name}.',
        'inputSchema': {**method.parameters, 'type': 'object'},
        'annotations': {'title': method.full_name, 'idempotentHint': method.idempotent},
    }
    if method.result:
        tool['outputSchema'] = _output(method)
    return tool


def _output(method: AllowedMethod) -> Schema:
    if returns_object(method):
        return {**method.result, 'type': 'object'}
    # references lead to the definitions at the root
    moved: Schema = {
        key: method.result[key] for key in ('$schema', '$defs') if key in method.result
    }
    inner = {key: value for key, value in method.result.items() if key not in moved}
    return {'type': 'object', 'properties': {'result': inner}, 'required': ['result'], **moved}


def _name(method: AllowedMethod) -> str:
    return method.full_name


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode()


def _read(cursor: str) -> str:
    try:
        name = base64.urlsafe_b64decode(cursor.encode()).decode()
    except (binascii.Error, ValueError):
        name = ''
    if _NAME.fullmatch(name) is None:
        raise ValueError('expected a cursor that an earlier answer had as nextCursor')
    return name
