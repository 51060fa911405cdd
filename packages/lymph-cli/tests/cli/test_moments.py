from __future__ import annotations

import time
from datetime import datetime, timezone

import click
import pytest

from lymph.cli._arguments.moments import Moment


def parse(text: str) -> float:
    return Moment().convert(text, None, None)


@pytest.mark.parametrize(
    ('text', 'seconds'),
    [('30s', 30), ('5min', 300), ('5m', 300), ('2h', 7200), ('1.5 h', 5400), ('3d', 259200)],
)
def test_duration_is_that_long_ago(text: str, seconds: float) -> None:
    before = time.time()
    assert before - seconds <= parse(text) <= time.time() - seconds


@pytest.mark.parametrize(
    'text',
    ['2024-02-29T12:30:00+00:00', '2024-02-29T12:30:00Z', '2024-02-29T14:30:00+02:00'],
)
def test_date_and_time_is_that_moment(text: str) -> None:
    assert parse(text) == datetime(2024, 2, 29, 12, 30, tzinfo=timezone.utc).timestamp()


def test_time_without_a_zone_is_local() -> None:
    assert parse('2024-02-29') == datetime(2024, 2, 29).astimezone().timestamp()


@pytest.mark.parametrize('text', ['', 'x', '5', '-5s', '5 weeks', '2024-02-30', 'h'])
def test_anything_else_is_rejected(text: str) -> None:
    with pytest.raises(click.BadParameter, match='expected 30s'):
        parse(text)
