"""JSON text that is written in turns of the loop."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.web._gateway import json_text as module
from lymph.web._gateway.json_text import json_bytes, json_text

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda values: st.lists(values, max_size=5) | st.dictionaries(st.text(), values, max_size=5),
    max_leaves=10,
)
LARGE: list[Any] = [
    list(range(10_000)),
    {str(number): number for number in range(10_000)},
    [[number, {'a': ['x' * 100] * 30}] for number in range(300)],
    {'a': {'b': [[{'c': list(range(5000))}], []]}, 'd': {}},
    'x' * 500_000,
    'é"\\\n\u2028😀\x00' * 50_000,
    ['😀' * 70_000, '', {}],
    {'k' * 200_000: 1, 'b': {'l' * 100_000: []}},
    [[]] * 30_000,
    [[[[['x' * 70_000]]]]],
]


@given(VALUES)
def test_text_is_that_of_the_standard_library_however_small_the_parts_are(value):
    with patch.multiple(module, _PART=2, _CHARACTERS=1, _STRING=3, _SLICE=2, _TURN=10_000):
        assert json_text(value) == json.dumps(value, ensure_ascii=False, separators=(',', ':'))


@pytest.mark.parametrize('value', LARGE, ids=lambda value: str(type(value).__name__))
def test_large_values_are_written_in_turns_of_the_loop(value):
    turns = 0

    def turn() -> None:
        nonlocal turns
        while True:
            gevent.sleep(1e-6)
            turns += 1

    turning = gevent.spawn(turn)
    try:
        text = json_text(value)
    finally:
        turning.kill()
    assert text == json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    assert turns > len(text) // 500_000


def test_half_of_a_surrogate_pair_is_escaped():
    for value in ('\ud800', ['x' * 100_000, '\udfff']):
        assert json.loads(json_bytes(value)) == value


@pytest.mark.parametrize('number', [float('nan'), float('inf')])
def test_numbers_that_are_not_finite_have_no_text(number):
    for value in ([number], [number] * 5000):
        with pytest.raises(ValueError, match='JSON'):
            json_text(value)
