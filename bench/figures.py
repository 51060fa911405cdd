"""From many measurements to few figures."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

__all__ = ['median_ratio', 'percentile', 'ratio_range']


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the `ordered` values lie; 0.0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of values that were measured side by side.

    What slows the whole machine down for a while slows both sides of a ratio.
    """
    return median(_ratios(ours, theirs))


def ratio_range(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float]:
    """Return the smallest and the largest of those ratios."""
    ratios = _ratios(ours, theirs)
    return min(ratios), max(ratios)


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    ratios = [a / b for a, b in zip(ours, theirs, strict=True) if b]
    if not ratios:
        raise ValueError('no two measurements can be compared: all of one side failed')
    return ratios
