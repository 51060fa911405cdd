"""Durations as written on a command line."""

from __future__ import annotations

import click
import pytest

from lymph.cli._arguments.seconds import Seconds


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [
        ('2.5', 2.5),
        ('.5', 0.5),
        ('1e-3', 0.001),
        ('500ms', 0.5),
        ('30s', 30),
        ('30 s', 30),
        ('5min', 300),
        ('5m', 300),
        ('2h', 7200),
        ('1d', 86400),
    ],
)
def test_time_has_a_number_and_an_optional_unit(text: str, seconds: float) -> None:
    assert Seconds(86400).convert(text, None, None) == pytest.approx(seconds)


@pytest.mark.parametrize(
    'text', ['', 'x', 'nan', 'inf', '-1', '0', '1.2.3', '30 sec', '2d', '1e999', '\u0663', '1\x1b']
)
def test_malformed_time_is_an_error_with_what_was_expected(text: str) -> None:
    with pytest.raises(click.BadParameter, match='expected') as caught:
        Seconds(86400).convert(text, None, None)
    assert str(caught.value).isprintable()


def test_zero_can_be_allowed() -> None:
    assert Seconds(60, positive=False).convert('0', None, None) == 0
