"""Figures of the last minutes, in rings, so that a page which is opened has charts at once."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ['Figure', 'History']

#: a kind (``services``), a name (``shop``), and a figure (``rate``)
Figure = tuple[str, str, str]

_UNKNOWN: Final = math.nan
_DIGITS: Final = 6  # behind the point: microseconds
_SENT: Final = 200_000  # values, which are about 2 MB


class History:
    """Keeps the last `samples` values of at most `most` figures, 8 bytes each."""

    def __init__(self, samples: int, most: int) -> None:
        self._samples = samples
        self._most = most
        self._times: array[float] = array('d')
        self._series: dict[Figure, array[float]] = {}

    def __len__(self) -> int:
        return len(self._series)

    def add(self, at: float, figures: Mapping[Figure, float | None]) -> None:
        """Add a sample of the Unix time `at`; figures of which nothing is known are None."""
        _push(self._times, at, self._samples)
        for figure in figures.keys() - self._series.keys():
            if len(self._series) < self._most and figures[figure] is not None:
                self._series[figure] = array('d', [_UNKNOWN] * (len(self._times) - 1))
        for figure, series in tuple(self._series.items()):
            value = figures.get(figure)
            _push(series, _UNKNOWN if value is None else value, self._samples)
            if all(map(math.isnan, series)):
                del self._series[figure]

    def facts(self, most: int = _SENT) -> dict[str, Any]:
        """Return the samples in JSON types: ``times``, and lists by kind, name and figure.

        Samples are left out, evenly, if there were more than about `most` values.
        """
        every = -(-len(self._series) * len(self._times) // most) or 1
        first = (len(self._times) - 1) % every  # so that the last one is among them
        times = self._times[first::every]
        found: dict[str, Any] = {'times': [round(each, 1) for each in times]}
        for (kind, name, figure), series in self._series.items():
            shown = list(_rounded(series[first::every]))
            found.setdefault(kind, {}).setdefault(name, {})[figure] = shown
        return found


def _push(series: array[float], value: float, most: int) -> None:
    series.append(value)
    if len(series) > most:
        del series[0]


def _rounded(series: array[float]) -> Iterator[float | None]:
    for value in series:
        yield None if math.isnan(value) else round(value, _DIGITS)
