"""Classes in the schemas of an answer to `lymph.inspect`, which others have written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.cli._display.schemas import type_lines

LINE = {
    'type': 'object',
    'description': 'A line of an order.\nIn two lines.',
    'properties': {
        'article': {'type': 'string'},
        'count': {'type': 'integer', 'default': 1},
        'when': {'anyOf': [{'type': 'string', 'format': 'date-time'}, {'type': 'null'}]},
        'parts': {'type': 'array', 'items': {'$ref': '#/$defs/Line'}},
        'by': {'type': 'object', 'additionalProperties': {'type': ['string', 'number']}},
        'image': {'type': 'object', 'properties': {'$bytes': {'type': 'string'}}},
        'place': {'type': 'array', 'prefixItems': [{'type': 'number'}, {}]},
        'kind': {'const': 'line'},
    },
    'required': ['article', 'when', 'parts', 'by', 'image', 'place', 'kind'],
}


def lines(**definitions: Any) -> list[str]:
    return list(type_lines({'parameters_schema': {'$defs': definitions}}))


def test_class_is_shown_with_its_members_and_the_first_line_of_its_docstring() -> None:
    assert lines(Line=LINE, Color={'enum': ['red', 'blue']}) == [
        'Line(article: text, count: whole number = 1, when: date-time or None, parts: list of '
        'Line, by: mapping of text or number, image: bytes, place: [number, anything], '
        "kind: 'line') - A line of an order.",
        "Color: 'red' or 'blue'",
    ]


def test_class_in_several_schemas_is_shown_once() -> None:
    schema = {'$defs': {'Line': LINE}}
    assert len(list(type_lines({'parameters_schema': schema, 'result_schema': schema}))) == 1
    assert list(type_lines({})) == []


@pytest.mark.parametrize('schema', [5, {'type': 5}, {'enum': []}, {'anyOf': 5}, {'type': ['x']}])
def test_unknown_kind_of_schema_is_shown_as_an_ellipsis(schema: Any) -> None:
    assert lines(Odd=schema) == ['Odd: ...']


words = st.sampled_from(['type', 'properties', 'anyOf', '$defs', 'enum', 'items', 'required'])


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=3) | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    )
)
def test_output_for_any_schema_has_a_bounded_size(schema: Any) -> None:
    shown = [*lines(It=schema), *type_lines({'result_schema': schema, 'payload_schema': schema})]
    assert all(len(each) <= 500 and each.isprintable() for each in shown)


def test_endlessly_nested_schema_is_cut() -> None:
    deep: Any = {}
    for _ in range(1000):
        deep = {'type': 'array', 'items': deep}
    assert lines(Deep=deep)[0].endswith('list of ...')
