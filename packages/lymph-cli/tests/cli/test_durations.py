"""Durations as short text."""

from __future__ import annotations

import pytest

from lymph.cli._arguments.durations import short_duration


@pytest.mark.parametrize(
    ('seconds', 'words'),
    [
        (-5, '0s'),
        (0, '0s'),
        (0.9, '0s'),
        (119.9, '119s'),
        (120, '2min'),
        (7199, '119min'),
        (7200, '2h'),
        (2 * 86400 - 1, '47h'),
        (400 * 86400, '400d'),
    ],
)
def test_duration_is_shown_in_the_largest_unit_that_fits_twice(seconds: float, words: str) -> None:
    assert short_duration(seconds) == words
