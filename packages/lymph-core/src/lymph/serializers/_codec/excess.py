"""The errors for values that exceed a bound of `lymph.core.limits`."""

from __future__ import annotations

from lymph.core.limits import DEPTH, ITEMS

__all__ = ['too_deep', 'too_many']


def too_deep() -> ValueError:
    """Return the error for a value that is nested too deep."""
    return ValueError(f'more than {DEPTH} containers inside each other')


def too_many() -> ValueError:
    """Return the error for a value with too many members."""
    return ValueError(f'more than {ITEMS} members in all containers together')
