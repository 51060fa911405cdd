from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.config._values.locations import Location, Position, format_path, parse_key

segments = st.text(st.characters(exclude_characters='.'), min_size=1)


@pytest.mark.parametrize(
    ('key', 'path'),
    [
        ('', ()),
        ('a', ('a',)),
        ('a.b', ('a', 'b')),
        ('a..b', ('a', '', 'b')),
        ([], ()),
        (['echo@1.5.0', 'class'], ('echo@1.5.0', 'class')),
        (('urls', 0), ('urls', 0)),
        ([''], ('',)),
    ],
)
def test_a_key_stands_for_a_path(key: object, path: object) -> None:
    assert parse_key(key) == path  # type: ignore[arg-type]


@pytest.mark.parametrize('key', [None, 5, True, b'a', {'a': 1}, ['a', None], ['a', True], [b'a']])
def test_other_types_are_rejected_as_keys(key: object) -> None:
    with pytest.raises(TypeError, match='a configuration key is text'):
        parse_key(key)  # type: ignore[arg-type]


@given(st.lists(segments, min_size=1))
def test_formatted_paths_parse_back(path: list[str]) -> None:
    assert parse_key(format_path(tuple(path))) == tuple(path)


@given(st.lists(st.text() | st.integers()))
def test_a_list_of_segments_is_taken_literally(path: list[str | int]) -> None:
    assert parse_key(path) == tuple(path)


def test_a_long_key_is_cut_where_it_is_shown() -> None:
    location = Location('a.' + 'x' * 10**6, Position('conf.yml', 3))
    assert str(location).startswith('conf.yml:3: a.xxx')
    assert len(str(location)) < 330
    assert len(location.key) > 10**6
