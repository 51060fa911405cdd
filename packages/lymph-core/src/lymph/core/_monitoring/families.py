"""A family of Prometheus: the series of one name, with its kind, help and unit."""

from __future__ import annotations

import math
from typing import Final, Literal, NamedTuple

from lymph.config.printable import quoted
from lymph.core._monitoring.exported_names import Labels
from lymph.core._monitoring.histogram_series import HistogramSeries
from lymph.core.monitoring.histograms import Exemplar

__all__ = ['FamilyKind', 'MetricFamily', 'PageLine']

FamilyKind = Literal['counter', 'gauge', 'histogram', 'unknown']

#: the names that a family has beside its own, for its samples
_SUFFIXES: Final[dict[FamilyKind, tuple[str, ...]]] = {
    'counter': ('_total', '_created'),
    'gauge': (),
    'histogram': ('_bucket', '_count', '_sum', '_created'),
    'unknown': (),
}


class PageLine(NamedTuple):
    """One sample of a family; `suffix` is added to the name of the family."""

    suffix: str
    labels: Labels
    value: int | float
    exemplar: Exemplar | None = None


class MetricFamily:
    """Takes the samples of the metric `source`, and returns lines that make a valid page."""

    def __init__(
        self, source: str, name: str, kind: FamilyKind, help: str = '', unit: str = ''
    ) -> None:
        self.source: Final = source
        self.name: Final = name
        self.kind: Final = kind
        self.help: Final = help
        self.unit: Final = unit
        self._lines: dict[Labels, PageLine] = {}
        self._histograms: dict[Labels, HistogramSeries] = {}

    @property
    def names(self) -> list[str]:
        """All names that no other family on the page may have."""
        return [self.name, *(self.name + suffix for suffix in _SUFFIXES[self.kind])]

    def add(self, part: str, value: int | float, labels: Labels) -> str:
        """Add a sample; return why it is left out, an empty text if it is not.

        `part` is that of a histogram: ``bucket``, ``count`` or ``sum``.
        """
        if self.kind == 'histogram':
            le, series = _without_bound(labels) if part == 'bucket' else ('', labels)
            known = self._histograms.get(series)
            if known is None:
                known = self._histograms[series] = HistogramSeries()
            return known.add(part, le, value)
        if labels in self._lines:
            return 'a series with the same tags was there before'
        try:
            exact = isinstance(value, int) and abs(value) < 2**63
            number = int(value) if exact else float(value)
        except OverflowError:
            return f'expected a smaller number, found {quoted(value)}'
        counter = self.kind == 'counter'
        if counter and not number >= 0:
            return f'expected a counter of 0 or more, found {quoted(value)}'
        self._lines[labels] = PageLine('_total' if counter else '', labels, number)
        return ''

    def lines(self) -> tuple[list[PageLine], list[str]]:
        """Return the lines, and why histograms are left out."""
        lines, reasons = list(self._lines.values()), []
        for labels, series in self._histograms.items():
            fault = series.fault()
            if fault:
                reasons.append(fault)
            else:
                lines += _histogram_lines(labels, series)
        return lines, reasons


def _without_bound(labels: Labels) -> tuple[str, Labels]:
    """Return the upper bound of a bucket, and the other labels."""
    for place, (name, text) in enumerate(labels):
        if name == 'le':
            return text, labels[:place] + labels[place + 1 :]
    return '', labels


def _histogram_lines(labels: Labels, series: HistogramSeries) -> list[PageLine]:
    buckets = series.buckets
    lines = [
        PageLine('_bucket', (*labels, ('le', _bound_text(bound))), count, exemplar)
        for bound, count, exemplar in buckets
    ]
    if series.sum is not None:  # otherwise OpenMetrics allows no count either
        lines.append(PageLine('_count', labels, buckets[-1][1]))
        lines.append(PageLine('_sum', labels, series.sum))
    return lines


def _bound_text(bound: float) -> str:
    return '+Inf' if bound == math.inf else repr(bound)
