"""Bytes of a terminal as keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.cli._top.keys import KeyReader


@pytest.mark.parametrize(
    ('data', 'keys'),
    [
        (b'q', ['q']),
        (b'ab', ['a', 'b']),
        ('ü'.encode(), ['ü']),
        (b'\r\n', ['enter', 'enter']),
        (b'\t\x1b[Z', ['tab', 'back-tab']),
        (b'\x7f\x08', ['backspace', 'backspace']),
        (b'\x1b[A\x1bOB', ['up', 'down']),
        (b'\x1b[5~\x1b[6~', ['page-up', 'page-down']),
        (b'\x1b[H\x1b[F\x1b[1~\x1b[4~', ['home', 'end', 'home', 'end']),
        (b'\x1b\x1b[A', ['escape', 'up']),
        (b'\x1b[1;5Cx', ['x']),  # Ctrl and an arrow
        (b'\x1bxy', ['y']),  # Alt and x
        (b'\x01\x00a', ['a']),
        (b'\xff\xfea', ['a']),
    ],
)
def test_keys_of_bytes(data: bytes, keys: list[str]) -> None:
    assert KeyReader().feed(data) == keys


def test_a_sequence_may_arrive_in_pieces() -> None:
    reader = KeyReader()
    assert [reader.feed(bytes([byte])) for byte in b'\x1b[5~'] == [[], [], [], ['page-up']]
    assert not reader.pending


def test_a_character_may_arrive_in_pieces() -> None:
    reader = KeyReader()
    first, second = '€'.encode()[:1], '€'.encode()[1:]
    assert reader.feed(first) == []
    assert reader.pending
    assert reader.feed(second) == ['€']


def test_escape_is_a_key_when_nothing_follows() -> None:
    reader = KeyReader()
    assert reader.feed(b'\x1b') == []
    assert reader.pending
    assert reader.rest() == ['escape']
    assert not reader.pending
    assert reader.feed(b'[A') == ['[', 'A']


def test_the_beginning_of_a_sequence_is_no_key() -> None:
    reader = KeyReader()
    assert reader.feed(b'\x1b[') == []
    assert reader.rest() == []


def test_a_sequence_without_an_end_keeps_nothing() -> None:
    reader = KeyReader()
    reader.feed(b'\x1b[' + b'1' * 1000)
    assert len(reader._text) < 100


@given(st.lists(st.binary(max_size=8)))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    reader = KeyReader()
    for piece in pieces:
        reader.feed(piece)
    reader.rest()
    assert reader.feed(b'q') == ['q']
