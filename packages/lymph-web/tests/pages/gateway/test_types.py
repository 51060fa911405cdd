"""Types of all kinds on the page, from a document that is written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

Open = Callable[..., Page]

DATE = {'type': 'string', 'format': 'date'}
TREE = {'$ref': '#/components/schemas/Tree'}

#: by name: a type, the words for it, what is typed, and the JSON that is sent
TYPES: dict[str, tuple[Any, str, str, Any]] = {
    'text': ({'type': 'string', 'minLength': 1}, 'string', 'a\nb "c"', 'a\nb "c"'),
    'whole': ({'type': 'integer', 'minimum': 0}, 'integer', '12', 12),
    'number': ({'type': 'number'}, 'number', '-1.5e3', -1500),
    'moment': ({'type': 'string', 'format': 'date-time'}, 'date-time', 'now', 'now'),
    'day': ({'anyOf': [DATE, {'type': 'null'}]}, 'date or null', '2026-02-19', '2026-02-19'),
    'decimal': ({'type': ['string', 'number']}, 'string or number', '0.10', '0.10'),
    'list': ({'type': 'array', 'items': DATE}, 'list of date', '["x"]', ['x']),
    'pair': (
        {'type': 'array', 'prefixItems': [{'type': 'string'}, DATE], 'minItems': 2},
        'list (string, date)',
        '["a", "b"]',
        ['a', 'b'],
    ),
    'map': (
        {'type': 'object', 'additionalProperties': {'type': 'integer'}},
        'map of integer',
        '{"a": 1}',
        {'a': 1},
    ),
    'either': ({'oneOf': [{'type': 'array'}, DATE]}, 'list or date', '"a"', 'a'),
    'bytes': (
        {'type': 'object', 'properties': {'$bytes': {}}},
        'bytes',
        'aGk=',
        {'$bytes': 'aGk='},
    ),
    'any': ({}, 'any', 'foo', 'foo'),
    'tree': ({'anyOf': [TREE, {'type': 'null'}]}, 'Tree or null', '{"next": null}', {'next': None}),
    # what services should not send, but may
    'circle': ({'$ref': '#/components/schemas/Circle'}, 'any', '1', 1),
    'maze': ({'$ref': '#/components/schemas/Maze'}, 'nothing', '1', 1),
    'lost': ({'$ref': '#/components/schemas/Lost'}, 'any', '1', 1),
    'odd': ({'type': 7, 'title': {'a': 1}, 'enum': 'x', 'default': [[]]}, '', '1', 1),
}
CHOICES: dict[str, tuple[Any, str, Any]] = {
    'flag': ({'type': 'boolean', 'default': True}, 'false', False),
    'colour': ({'title': 'Colour', 'enum': ['red', 'blue']}, 'blue', 'blue'),
    'level': ({'enum': [1, 2, None]}, '2', 2),
    'fixed': ({'const': 'on'}, 'on', 'on'),
    'maybe': ({'anyOf': [{'enum': ['a']}, {'type': 'null'}]}, 'null', None),
}
DEFINITIONS = {
    'Tree': {'title': 'Tree', 'type': 'object', 'properties': {'next': TREE}},
    'Circle': {'$ref': '#/components/schemas/Circle'},
    'Maze': {'anyOf': [{'$ref': '#/components/schemas/Maze'}]},
}


def document() -> dict[str, Any]:
    properties = {name: each[0] for name, each in [*TYPES.items(), *CHOICES.items()]}
    body = {'type': 'object', 'properties': properties, 'additionalProperties': False}
    operation = {
        'tags': ['all'],
        'requestBody': {'content': {'application/json': {'schema': body}}},
        'responses': {'200': {'content': {'application/json': {'schema': TREE}}}},
    }
    return {
        'openapi': '3.1.0',
        'info': {'title': 'by hand', 'version': '1'},
        'paths': {
            '/api/all/types': {'post': operation},
            '/api/all/broken': {'post': {'tags': ['all'], 'responses': {'200': None}}},
            '/other': None,
        },
        'components': {'schemas': DEFINITIONS},
    }


@pytest.fixture
def types(open_page: Open) -> Page:
    def prepare(page: Page) -> None:
        page.route('**/openapi.json', lambda route: route.fulfill(json=document()))

    return open_page('#all.types', prepare=prepare)


def sent(page: Page) -> Any:
    """Send the form; return the JSON that leaves the browser."""
    page.route('**/all/types', lambda route: route.fulfill(json='done'))
    with page.expect_response('**/all/types') as answer:
        page.get_by_role('button', name='Send').click()
    expect(page.locator('.answer .code')).to_have_text('"done"')
    page.unroute('**/all/types')
    return json.loads(answer.value.request.post_data or '')


def test_each_type_has_words_and_a_field_that_sends_it(types: Page) -> None:
    words = types.locator('.about > section .fields > div')
    for name, (_, type, typed, _) in TYPES.items():
        types.get_by_label(name, exact=True).fill(typed)
        expect(words.filter(has=types.get_by_text(name, exact=True)).first).to_contain_text(type)
    for name, (_, option, _) in CHOICES.items():
        types.get_by_label(name, exact=True).select_option(label=option)
    expected = {name: each[-1] for name, each in [*TYPES.items(), *CHOICES.items()]}
    assert sent(types) == expected
    types.get_by_role('radio', name='JSON').check()
    types.get_by_role('radio', name='Fields').check()
    assert sent(types) == expected


def test_what_is_left_empty_is_not_sent(types: Page) -> None:
    assert sent(types) == {}
    types.get_by_label('text: send even if empty').check()
    types.get_by_label('day: null').check()
    expect(types.get_by_label('day', exact=True)).to_be_disabled()
    assert sent(types) == {'text': '', 'day': None}


def test_what_does_not_fit_is_told_at_its_field_and_not_sent(types: Page) -> None:
    for name, typed, problem in [
        ('whole', 'ten', 'Expected a number'),
        ('list', '[1, 2', "line 1, column 6: expected ',' or ']', found the end"),
        ('map', '{"a": 1, "a": 2}', 'expected each key once'),
        ('bytes', 'a', 'Expected bytes in base64'),
        ('any', '{"a"', "expected ':'"),
    ]:
        field = types.get_by_label(name, exact=True)
        field.fill(typed)
        types.get_by_role('button', name='Send').click()
        expect(field).to_be_focused()
        expect(types.locator('.error', has_text=problem)).to_be_visible()
        field.fill('')
    expect(types.locator('.answer')).to_be_empty()


def test_options_that_no_header_can_carry_are_told(types: Page) -> None:
    types.locator('summary', has_text='Options').click()
    for label, typed in [('Deadline', 'soon'), ('Idempotency key', 'ключ'), ('Authorization', 'é')]:
        types.get_by_label(label).fill(typed)
        types.get_by_role('button', name='Send').click()
        expect(types.get_by_label(label)).to_be_focused()
        expect(types.get_by_role('alert').filter(has_text=f'{label}: expected')).to_be_visible()
        types.get_by_label(label).fill('')


def test_authorization_goes_with_the_calls_of_all_methods(open_page: Open) -> None:
    page = open_page('#echo.upper')
    page.locator('summary', has_text='Options').click()
    page.get_by_label('Authorization').fill('Bearer abc')
    page.locator('#list a[href="#echo.nothing"]').click()
    expect(page.get_by_text('Options: authorization')).to_be_visible()
    with page.expect_request('**/echo/nothing') as request:
        page.get_by_role('button', name='Send').click()
    assert request.value.headers['authorization'] == 'Bearer abc'


def test_malformed_description_leaves_the_rest_of_the_page_usable(types: Page) -> None:
    types.locator('#list a[href="#all.broken"]').click()
    expect(types.get_by_role('heading', level=1)).to_contain_text('all.broken')
    types.go_back()
    expect(types.get_by_role('heading', level=1)).to_have_text('all.types')
