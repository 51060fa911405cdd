"""Check times that other programs wrote."""

from __future__ import annotations

__all__ = ['seconds']

_YEAR_9999 = 253_370_764_800  # Unix time


def seconds(value: object) -> float | None:
    """Return `value` if it is a Unix time in seconds before the year 9999, else None."""
    possible = isinstance(value, (int, float)) and 0 <= value < _YEAR_9999
    return float(value) if possible else None  # type: ignore[arg-type]
