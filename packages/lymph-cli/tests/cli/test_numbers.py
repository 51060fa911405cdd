"""Figures as short text."""

from __future__ import annotations

import pytest

from lymph.cli._display import numbers


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (None, '-'),
        (0, '0us'),
        (0.00005, '50us'),
        (0.0000512, '51us'),
        (0.0009994, '999us'),
        (0.0009997, '1ms'),
        (0.001, '1ms'),
        (0.00123, '1.2ms'),
        (0.0345, '34ms'),
        (0.9996, '1s'),
        (1.26, '1.3s'),
        (60, '60s'),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    assert numbers.seconds_text(value) == text


@pytest.mark.parametrize(
    ('value', 'text'),
    [
        (None, '-'),
        (0, '0'),
        (0.001, '<0.01'),
        (0.02, '0.02'),
        (0.5, '0.5'),
        (0.999, '1'),
        (1.26, '1.3'),
        (9.96, '10'),
        (250.4, '250'),
        (999.6, '1k'),
        (12_345, '12k'),
        (1_250_000, '1.2M'),
    ],
)
def test_rates(value: float | None, text: str) -> None:
    assert numbers.rate_text(value) == text


@pytest.mark.parametrize(
    ('value', 'text'),
    [(None, '-'), (0, '0'), (99_999, '99999'), (100_000, '100k'), (2_500_000, '2.5M')],
)
def test_counts(value: float | None, text: str) -> None:
    assert numbers.count_text(value) == text


@pytest.mark.parametrize(
    ('value', 'text'),
    [(None, '-'), (0, '0B'), (512, '512B'), (1536, '1.5K'), (48 * 2**20, '48M'), (2**50, '1024T')],
)
def test_sizes(value: float | None, text: str) -> None:
    assert numbers.bytes_text(value) == text


@pytest.mark.parametrize(
    ('value', 'text'),
    [(None, '-'), (0, '0%'), (0.0002, '<0.1%'), (0.003, '0.3%'), (0.12, '12%'), (2.5, '250%')],
)
def test_shares(value: float | None, text: str) -> None:
    assert numbers.share_text(value) == text


@pytest.mark.parametrize(
    ('value', 'text'),
    [(3.0, '3'), (0.1234567, '0.123457'), (1795900000.123, '1795900000'), (-2.0, '-2')],
)
def test_exact_numbers(value: float, text: str) -> None:
    assert numbers.number_text(value) == text
