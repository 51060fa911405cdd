"""Durations in words as short as `--since` and `--older` read them: `12s`, `3min`, `5h`, `40d`."""

from __future__ import annotations

__all__ = ['short_duration']

_UNITS = ((86400, 'd'), (3600, 'h'), (60, 'min'))


def short_duration(seconds: float) -> str:
    """Return a duration in whole units, the largest of which there are two or more.

    Negative ones, which clocks that differ make, are `0s`.
    """
    for length, unit in _UNITS:
        if seconds >= 2 * length:
            return f'{int(seconds // length)}{unit}'
    return f'{int(max(seconds, 0))}s'
