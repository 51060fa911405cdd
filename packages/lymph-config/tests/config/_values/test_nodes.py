from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.config import ConfigurationError, Location, Position
from lymph.config._values.nodes import (
    ValueNode,
    assign,
    describe,
    find,
    locate,
    merge,
    plain,
    wrap,
)

scalars = st.none() | st.booleans() | st.integers() | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)
mappings = st.dictionaries(st.sampled_from('abcd'), values)
# Mappings that are nested alike: a scalar between two of them would hide the first.
even = st.dictionaries(
    st.sampled_from('abc'), st.dictionaries(st.sampled_from('abc'), scalars | st.lists(scalars))
)


def joined(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    return plain(merge(wrap(base), wrap(over)))  # type: ignore[no-any-return]


@given(values)
def test_plain_is_the_inverse_of_wrap(value: Any) -> None:
    assert plain(wrap(value)) == value


@given(values)
def test_plain_returns_a_copy(value: Any) -> None:
    tree = wrap({'value': value})
    first = plain(tree)
    first.clear()
    assert plain(tree) == {'value': value}


@given(mappings)
def test_merging_with_nothing_changes_nothing(values: dict[str, Any]) -> None:
    assert joined(values, {}) == joined({}, values) == values


@given(mappings)
def test_merging_twice_is_merging_once(values: dict[str, Any]) -> None:
    assert joined(values, values) == values


@given(even, even, even)
def test_later_wins_however_the_merges_are_grouped(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    assert joined(joined(one, two), three) == joined(one, joined(two, three))


@given(mappings, mappings)
def test_merge_has_the_keys_of_both_and_the_later_values(
    base: dict[str, Any], over: dict[str, Any]
) -> None:
    both = joined(base, over)
    assert set(both) == {*base, *over}
    for key in over:
        if not (isinstance(over[key], dict) and isinstance(base.get(key), dict)):
            assert both[key] == over[key]


def test_mappings_are_joined_at_every_depth_and_lists_are_replaced() -> None:
    base = {'a': {'b': {'x': 1, 'y': [1, 2]}, 'c': 3}}
    over = {'a': {'b': {'y': [3], 'z': 4}}}
    assert joined(base, over) == {'a': {'b': {'x': 1, 'y': [3], 'z': 4}, 'c': 3}}


def test_later_null_removes_a_section() -> None:
    assert joined({'a': {'b': 1}}, {'a': None}) == {'a': None}


@given(mappings, st.lists(st.text(), min_size=1, max_size=4), values)
def test_assigned_value_is_found_or_the_path_is_blocked(
    base: dict[str, Any], path: list[str], value: Any
) -> None:
    tree = wrap(base)
    try:
        changed = assign(tree, tuple(path), wrap(value))
    except ConfigurationError:
        assert not is_found(tree, tuple(path))
        return
    found = find(changed, tuple(path))
    assert found is not None
    assert plain(found) == value
    assert plain(tree) == base


def is_found(tree: ValueNode, path: tuple[str, ...]) -> bool:
    try:
        return find(tree, path) is not None
    except ConfigurationError:
        return False


@pytest.mark.parametrize(
    ('path', 'found'),
    [
        (('list', 0), 1),
        (('list', '1', 'x'), 2),
        (('codes', 404), 'gone'),
    ],
)
def test_path_reaches_list_items_and_numeric_keys(
    path: tuple[str | int, ...], found: object
) -> None:
    node = find(wrap({'list': [1, {'x': 2}], 'codes': {'404': 'gone'}}), path)
    assert node is not None
    assert node.value == found


@pytest.mark.parametrize('path', [('list', 2), ('list', -1), ('null', 'x'), ('no', 'x')])
def test_find_returns_none_for_a_missing_path(path: tuple[str | int, ...]) -> None:
    assert find(wrap({'list': [1, 2], 'null': None}), path) is None


@pytest.mark.parametrize(
    ('path', 'error'),
    [
        (('five', 'x'), "five: expected a mapping with 'x' in it, found the number 5"),
        (('list', 'x'), "list: expected a mapping with 'x' in it, found a list"),
        (('text', 'x', 'y'), "text: expected a mapping with 'x' in it, found text 'abc'"),
    ],
)
def test_a_path_through_a_scalar_is_an_error(path: tuple[str, ...], error: str) -> None:
    tree = wrap({'five': 5, 'list': [1], 'text': 'abc'})
    with pytest.raises(ConfigurationError) as caught:
        find(tree, path)
    assert str(caught.value) == error
    with pytest.raises(ConfigurationError):
        assign(tree, path, wrap(1))


def test_assigning_behind_the_end_of_a_list_is_an_error() -> None:
    with pytest.raises(ConfigurationError) as caught:
        assign(wrap({'list': [1]}), ('list', 1), wrap(2))
    assert str(caught.value) == 'list: expected a list with an item 1, found 1 items'


def test_assigning_into_a_list_replaces_one_item() -> None:
    tree = assign(wrap({'list': [1, {'x': 2}]}), ('list', 1, 'x'), wrap(3))
    assert plain(tree) == {'list': [1, {'x': 3}]}


def test_location_is_that_of_the_value_or_of_the_nearest_mapping_around_it() -> None:
    inner = ValueNode({'b': ValueNode(1, Position('f', 3)), 'c': ValueNode(2)}, Position('f', 2))
    tree = ValueNode({'a': inner}, Position('f'))
    assert locate(tree, ('a', 'b')) == Location('a.b', Position('f', 3))
    assert locate(tree, ('a', 'c')) == Location('a.c', Position('f', 2))
    assert locate(tree, ('a', 'no', 'x')) == Location('a.no.x', Position('f', 2))
    assert locate(tree, ('no',)) == Location('no', Position('f'))


@pytest.mark.parametrize('key', [1.1, 5, None, True, ('a',)])
def test_keys_from_python_code_must_be_text(key: object) -> None:
    with pytest.raises(ConfigurationError, match='keys are text'):
        wrap({'a': [{key: 1}]})


@pytest.mark.parametrize(
    ('value', 'words'),
    [
        (None, 'nothing'),
        (True, 'true'),
        (False, 'false'),
        (5, 'the number 5'),
        (1.5, 'the number 1.5'),
        ('abc', "text 'abc'"),
        ('a' * 50, f"text '{'a' * 37}...'"),
        ({}, 'a mapping'),
        ([], 'a list'),
        (b'x', "b'x' (bytes)"),
    ],
)
def test_found_values_are_described_in_words(value: object, words: str) -> None:
    assert describe(value) == words


@pytest.mark.parametrize(
    'value',
    [10**5000, -(10**5000), 'x' * 10**6, b'x' * 10**6, object(), '\x1b[31m\n' * 9],
    ids=type,
)
def test_any_value_is_described_in_one_short_line(value: object) -> None:
    told = describe(value)
    assert len(told) < 200
    assert told.isprintable()
