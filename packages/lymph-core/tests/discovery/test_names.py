from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core.facts import LENGTH
from lymph.discovery.names import escape, name_in, unescape


@pytest.mark.parametrize('name', ['echo', 'a.b', 'a-b_c', 'echo@1.5.0', '0123abcdef@1.0', 'a:b'])
def test_ordinary_names_are_unchanged(name):
    assert escape(name) == name


@pytest.mark.parametrize(
    ('name', 'escaped'),
    [
        ('', '%'),
        ('.', '%2E'),
        ('..', '%2E.'),
        ('.x', '%2Ex'),
        ('a/b', 'a%2Fb'),
        ('~', '%7E'),
        ('%', '%25'),
        ('a\x00b', 'a%00b'),
        ('ä', '%C3%A4'),
        ('\ud800', '%ED%A0%80'),
    ],
)
def test_special_characters_of_paths_are_escaped(name, escaped):
    assert escape(name) == escaped
    assert unescape(escaped) == name


@given(st.text())
def test_every_name_round_trips_as_a_single_safe_path_component(name):
    part = escape(name)
    assert unescape(part) == name
    assert part.isascii()
    assert part.isprintable()
    assert '/' not in part
    assert '~' not in part
    assert part
    assert not part.startswith('.')


@given(st.text(min_size=1, max_size=LENGTH // 4).filter(str.isprintable))
def test_escaped_name_can_be_read_back(name):
    assert name_in(escape(name)) == name


@pytest.mark.parametrize(
    'part', ['', '%', 'a b', 'ä', '%FF', '%ff', '%C3', '%zz', '%2', '.x', '%61', '\udcff', '%0A']
)
def test_foreign_path_component_is_rejected(part):
    with pytest.raises(ValueError, match='expected') as caught:
        name_in(part)
    assert str(caught.value).isprintable()
