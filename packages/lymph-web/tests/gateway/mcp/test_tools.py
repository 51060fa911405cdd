"""Methods as tools: which, their schemas, and pages of them."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.descriptions import AllowedMethod
from lymph.web._gateway.mcp.tools import PAGE, Tools

LINE = {'type': 'object', 'properties': {'n': {'type': 'integer'}}}


def method(name: str, idempotent: bool = True, **facts: Any) -> AllowedMethod:
    return AllowedMethod('shop', name, idempotent=idempotent, **facts)


def tools(*methods: AllowedMethod, chosen: list[str] | None = None) -> Tools:
    return Tools(lambda: methods, None if chosen is None else Allowed.of(chosen))


def names(tools: Tools) -> list[str]:
    return [tool['name'] for tool in tools.page(None)[0]]


def test_idempotent_methods_are_tools_unless_others_are_chosen():
    methods = method('a'), method('b', idempotent=False), method('c')
    assert names(tools(*methods)) == ['shop.a', 'shop.c']
    assert names(tools(*methods, chosen=['shop.b'])) == ['shop.b']
    assert names(tools(*methods, chosen=['shop.*'])) == ['shop.a', 'shop.b', 'shop.c']
    assert names(tools(*methods, chosen=['other.*'])) == []
    assert tools(*methods).find('shop.b') is None
    assert tools(*methods, chosen=['shop.b']).find('shop.a') is None
    assert tools(*methods).find('shop.a') is methods[0]


@pytest.mark.parametrize('name', ['ä', 'x' * 125])
def test_method_whose_name_no_tool_can_have_is_left_out(name):
    assert names(tools(method(name))) == []
    assert tools(method(name)).find(f'shop.{name}') is None


def test_pages_go_on_by_name_while_methods_come_and_go():
    every = [method(f'm{number:03}') for number in range(2 * PAGE + 1)]
    first, cursor = tools(*every).page(None)
    assert (len(first), first[-1]['name']) == (PAGE, f'shop.m{PAGE - 1:03}')
    changed = [*every[PAGE:], method('m0995'), method('m000')]
    second, cursor = tools(*changed).page(cursor)
    assert second[0]['name'] == 'shop.m0995'
    assert len(second) == PAGE
    third, cursor = tools(*changed).page(cursor)
    assert [tool['name'] for tool in third] == ['shop.m199', 'shop.m200']
    assert cursor is None


@pytest.mark.parametrize('cursor', ['', 'x', '!', 'ä', '====', 'c2hvcCBi'])
def test_invalid_cursor_is_refused(cursor):
    with pytest.raises(ValueError, match='nextCursor'):
        tools(method('a')).page(cursor)


@pytest.mark.parametrize(
    ('result', 'output'),
    [
        ({}, None),
        (LINE, LINE),
        (
            {'$ref': '#/$defs/Line', '$defs': {'Line': LINE}},
            {'type': 'object', '$ref': '#/$defs/Line', '$defs': {'Line': LINE}},
        ),
        (
            {'type': 'array', 'items': {'$ref': '#/$defs/Line'}, '$defs': {'Line': LINE}},
            {
                'type': 'object',
                'properties': {'result': {'type': 'array', 'items': {'$ref': '#/$defs/Line'}}},
                'required': ['result'],
                '$defs': {'Line': LINE},
            },
        ),
        (
            {'$ref': '#/$defs/A', '$defs': {'A': {'$ref': '#/$defs/A'}}},
            {
                'type': 'object',
                'properties': {'result': {'$ref': '#/$defs/A'}},
                'required': ['result'],
                '$defs': {'A': {'$ref': '#/$defs/A'}},
            },
        ),
        (
            {'$ref': '#/$defs/Gone'},
            {
                'type': 'object',
                'properties': {'result': {'$ref': '#/$defs/Gone'}},
                'required': ['result'],
            },
        ),
    ],
)
def test_results_are_objects_in_every_schema(result, output):
    (tool,), _ = tools(method('a', result=result)).page(None)
    assert tool.get('outputSchema') == output


def test_arguments_are_an_object_also_without_a_schema():
    (tool,), _ = tools(method('a')).page(None)
    assert tool['inputSchema'] == {'type': 'object'}
    assert tool['description'] == 'Calls shop.a.'
