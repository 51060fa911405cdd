"""Times that others have written."""

from __future__ import annotations

__all__ = ['seconds']

_YEAR_9999 = 253_370_764_800  # Unix time


def seconds(value: object) -> float | None:
    """Return a value that can be a Unix time and can be printed, else None."""
    possible = isinstance(value, (int, float)) and 0 <= value < _YEAR_9999
    return float(value) if possible else None  # type: ignore[arg-type]
