"""Figures as short text: rates, durations, sizes, shares. None is `EMPTY`."""

from __future__ import annotations

from lymph.cli._display.columns import EMPTY

__all__ = [
    'bytes_text',
    'count_text',
    'number_text',
    'rate_text',
    'seconds_text',
    'share_text',
]

_SIZES = ('B', 'K', 'M', 'G', 'T')
_COUNTS = ('', 'k', 'M', 'G', 'T')


def number_text(value: float) -> str:
    """Return a number: a whole one exactly, another with six digits, never as ``1e+09``."""
    if value == int(value):
        return str(int(value))
    return f'{value:.0f}' if abs(value) >= 1e6 else f'{value:.6g}'


def count_text(value: float | None) -> str:
    """Return a count: exactly up to 99999, then as ``123k``, ``1.2M``."""
    if value is None:
        return EMPTY
    return str(int(value)) if abs(value) < 100_000 else _scaled(value, 1000, _COUNTS)


def rate_text(value: float | None) -> str:
    """Return pieces of work per second: ``0``, ``0.02``, ``1.5``, ``250``, ``12.3k``."""
    if value is None:
        return EMPTY
    if value == 0:
        return '0'
    if value < 0.01:
        return '<0.01'
    return _scaled(value, 1000, _COUNTS)


def seconds_text(value: float | None) -> str:
    """Return a duration: ``50us``, ``1.2ms``, ``340ms``, ``2.5s``, ``90s``."""
    if value is None:
        return EMPTY
    for factor, unit in ((1e6, 'us'), (1e3, 'ms')):
        scaled = value * factor
        if round(scaled, 1 if scaled < 10 else 0) < 1000:
            return f'{_short(scaled)}{unit}'
    return f'{_short(value)}s'


def bytes_text(value: float | None) -> str:
    """Return a size in units of 1024: ``512B``, ``1.5M``, ``48M``."""
    return EMPTY if value is None else _scaled(value, 1024, _SIZES)


def share_text(value: float | None) -> str:
    """Return a share in percent: ``0%``, ``0.3%``, ``12%``, ``250%``."""
    if value is None:
        return EMPTY
    return '<0.1%' if 0 < value < 0.001 else f'{_short(value * 100)}%'


def _scaled(value: float, step: int, units: tuple[str, ...]) -> str:
    number, rest = float(value), list(units)
    while len(rest) > 1 and abs(number) >= step - 0.5:
        number /= step
        rest.pop(0)
    return f'{_short(number)}{rest[0]}'


def _short(number: float) -> str:
    """Return two digits behind the point below 1, one below 10, else none; no zeros at the end."""
    digits = 2 if abs(number) < 0.995 else 1 if abs(number) < 9.95 else 0
    text = f'{number:.{digits}f}'
    return text.rstrip('0').rstrip('.') if '.' in text else text
