from __future__ import annotations

import contextlib
import datetime
import json as stdlib_json
import uuid
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.exceptions import SerializationError
from lymph.serializers import json


class Broken:
    def _lymph_dump_(self):
        raise RuntimeError('no dump today')


class Point:
    def __init__(self, x):
        self.x = x

    def _lymph_dump_(self):
        return {'x': self.x}


@pytest.mark.parametrize(
    'text',
    [
        '',
        '{',
        b'\xff',
        '{"$date": "x"}',
        '{"$date": 5}',
        '{"$uuid": 1}',
        '{"$uuid": "x"}',
        '{"$decimal": "x"}',
        '{"$decimal": 5}',
        '{"$bytes": "!!"}',
        '{"$set": [{}]}',
        '{"$set": "abc"}',
        '{"$set": {"a": 1}}',
        '[' * 100_000,
    ],
    ids=lambda text: repr(text[:20]),
)
def test_invalid_json_is_rejected(text):
    with pytest.raises(SerializationError, match='expected JSON, found'):
        json.loads(text)


@pytest.mark.parametrize(
    'value',
    [
        {'$set': [1]},
        {'$object': {}},
        {'$date': '2016-02-19'},
        {'$object': {'$object': {'$set': []}}},
        {'$object': {'$bytes': b'x'}},
        {'$bytes': 'x', 'and': 'more'},
    ],
    ids=repr,
)
def test_dict_that_looks_like_a_mark_stays_a_dict(value):
    assert json.loads(json.dumps(value)) == value


marks = st.sampled_from(['$set', '$object', '$date', '$uuid', '$bytes', '$decimal', 'a'])
nested = st.recursive(
    st.none() | st.text(max_size=3) | st.binary(max_size=3) | st.dates(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(marks, inner, max_size=2),
    max_leaves=10,
)


@given(nested)
def test_dicts_with_marks_as_keys_round_trip_at_any_depth(value):
    assert json.loads(json.dumps(value)) == value


@given(st.text(max_size=50))
def test_any_text_is_loaded_or_raises_a_serialization_error(text):
    with contextlib.suppress(SerializationError):
        json.loads(text)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda i: st.lists(i, max_size=3)))
def test_plain_json_is_loaded_unchanged(value):
    assert json.loads(stdlib_json.dumps(value)) == value


@pytest.mark.parametrize(
    ('value', 'said'),
    [
        ({'users': [{'name': object()}]}, r'at users\[0\].name: object'),
        ({'broken': Broken()}, r'at broken: .*Broken: no dump today'),
        ({'number': float('nan')}, r'at number: float'),
        ({1: 'a'}, r'as a whole: dict: expected a text as key of an object, found 1'),
        ([Point(object())], r'at \[0\]._lymph_dump_\(\).x: object'),
    ],
    ids=repr,
)
def test_unserializable_value_is_named_by_its_path(value, said):
    with pytest.raises(SerializationError, match=said):
        json.dumps(value)


@pytest.mark.parametrize(
    ('value', 'plain'),
    [
        ((1, [2]), [1, [2]]),
        ({1}, [1]),
        (datetime.date(2016, 2, 19), '2016-02-19'),
        (datetime.datetime(2016, 2, 19, 12, 30), '2016-02-19T12:30:00'),
        (datetime.time(12, 30), '12:30:00'),
        (uuid.UUID(int=1), '00000000-0000-0000-0000-000000000001'),
        (Decimal('1.50'), '1.50'),
        (b'abc', 'YWJj'),
        ({'$set': [1]}, {'$set': [1]}),
        ({1: 'a', datetime.date(2016, 2, 19): 'b'}, {'1': 'a', '2016-02-19': 'b'}),
        ([Point({2})], [{'x': [2]}]),
    ],
    ids=repr,
)
def test_plain_values_print_without_marks(value, plain):
    assert json.plain(value) == plain


def test_unprintable_value_is_named_by_its_path():
    with pytest.raises(SerializationError, match=r'at a\[1\]: object'):
        json.plain({'a': [1, object()]})
