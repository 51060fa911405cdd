from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.config.printable import QUOTED, object_name, printable, quoted


class Broken:
    def __repr__(self):
        raise ValueError('no repr')


@pytest.mark.parametrize(
    ('text', 'shown'),
    [
        ('plain text', 'plain text'),
        ('Grüße, 世界', 'Grüße, 世界'),
        ('two\nlines\r', 'two\\nlines\\r'),
        ('\x1b[31mred', '\\x1b[31mred'),
        ('\x9b31m', '\\x9b31m'),
        ('file \udcff', 'file \\udcff'),
        ('abc\u202etxt.exe', 'abc\\u202etxt.exe'),
        ('a\u2028b', 'a\\u2028b'),
        ('', ''),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown


@given(st.text(alphabet=st.characters()), st.none() | st.integers(3, 50))
def test_any_text_becomes_printable_encodable_and_bounded(text, limit):
    shown = printable(text, limit)
    assert shown.isprintable()
    shown.encode()
    assert limit is None or len(shown) <= limit


@pytest.mark.parametrize(
    ('text', 'limit', 'shown'),
    [('abcdef', 6, 'abcdef'), ('abcdefg', 6, 'abc...'), ('\n\n\n\n', 6, '\\n\\...')],
)
def test_a_long_text_is_shortened(text, limit, shown):
    assert printable(text, limit) == shown


@pytest.mark.parametrize(
    ('value', 'shown'),
    [
        ('text', "'text'"),
        (b'\x00a', "b'\\x00a'"),
        (5, '5'),
        (None, 'None'),
        ({'a': [1]}, "{'a': [1]}"),
    ],
)
def test_short_values_are_quoted_in_full(value, shown):
    assert quoted(value) == shown


def test_a_value_whose_repr_raises_is_named_by_its_type():
    assert quoted(Broken()).startswith('<Broken instance at ')
    assert quoted([Broken()]).startswith('[<Broken instance at ')


@pytest.mark.parametrize(
    'value',
    [
        'x' * 10**7,
        b'x' * 10**7,
        bytearray(10**7),
        ['x' * 1000] * 10**6,
        dict.fromkeys(range(10**5), 'x' * 1000),
        set(range(10**5)),
        10**5000,
        [[[[[[[['deep']]]]]]]],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_large_value_is_cut_to_tens_of_characters(value):
    shown = quoted(value)
    assert 0 < len(shown) <= QUOTED


def test_sets_of_incomparable_members_are_quoted():
    assert quoted({1, 'a'}) in ("{1, 'a'}", "{'a', 1}")


@pytest.mark.parametrize(
    ('found', 'shown'),
    [
        (quoted, 'the function lymph.config.printable.quoted'),
        (Broken, 'the class '),
        (Broken(), 'an instance of '),
        (5, '5'),
        (None, 'None'),
        (pytest, 'the module pytest'),
        (type('A\n' * 1000, (), {}), r'.A\nA\n'),
    ],
)
def test_an_object_is_named_without_its_address(found, shown):
    text = object_name(found)
    assert shown in text
    assert '0x' not in text
    assert text.isprintable()
    assert len(text) < 300
