"""The metrics of several instances as rows of a table; a histogram is one row. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from math import isnan
from typing import Final, NamedTuple

from lymph.cli._display.numbers import number_text, seconds_text
from lymph.core.monitoring.descriptions import description
from lymph.core.monitoring.histograms import quantile
from lymph.core.monitoring.metrics import Sample

__all__ = ['MetricRow', 'metric_rows', 'wants_metric']

_PARTS: Final = ('.bucket', '.count', '.sum')
_QUANTILES: Final = (('p50', 0.5), ('p99', 0.99))
#: Instances that share a queue report the same figures of it: no sum of them means anything.
_SHARED: Final = 'queues.'

#: names and values of tags, sorted by name
MetricTags = tuple[tuple[str, str], ...]
#: upper bounds of the buckets of a histogram, with cumulative counts
Distribution = Mapping[float, float]


class MetricRow(NamedTuple):
    """A metric with its tags: the value of each instance that has it, by identity.

    The values of a histogram are its buckets.
    """

    name: str
    tags: MetricTags
    values: Mapping[str, float | Distribution]

    @property
    def tags_text(self) -> str:
        """The tags as ``name=value``, separated by commas."""
        return ','.join(f'{name}={value}' for name, value in self.tags)

    def of(self, instance: str) -> str:
        """Return the value of an instance as text."""
        value = self.values[instance]
        return number_text(value) if isinstance(value, float) else self._spread([value])

    def summary(self) -> tuple[str, str, str]:
        """Return the sum, the least and the greatest value as text; empty where there is none."""
        numbers = [each for each in self.values.values() if isinstance(each, float)]
        if not numbers:
            return (
                self._spread([v for v in self.values.values() if not isinstance(v, float)]),
                '',
                '',
            )
        least, greatest = number_text(min(numbers)), number_text(max(numbers))
        if self.name.startswith(_SHARED) or self._is_moment:
            return '', least, greatest
        return number_text(sum(numbers)), least, greatest

    @property
    def _is_moment(self) -> bool:
        """Whether it is a point in time, or an age: a sum of several means nothing."""
        known = description(self.name)
        return known is not None and known.kind == 'gauge' and known.unit == 'seconds'

    def _spread(self, several: Sequence[Distribution]) -> str:
        """Return histograms as words, such as ``12 values, p50 1.2ms, p99 30ms``."""
        counts: dict[float, float] = {}
        for each in several:
            for bound, count in each.items():
                counts[bound] = counts.get(bound, 0) + count
        buckets = sorted(counts.items())
        known = description(self.name)
        text = seconds_text if known is not None and known.unit == 'seconds' else number_text
        found = [(word, quantile(fraction, buckets)) for word, fraction in _QUANTILES]
        words = [f'{word} {text(value)}' for word, value in found if value is not None]
        return ', '.join([f'{number_text(buckets[-1][1])} values', *words])


def metric_rows(samples: Mapping[str, Iterable[Sample]]) -> list[MetricRow]:
    """Return the rows of what instances have answered, by identity; sorted by name and tags."""
    rows: dict[tuple[str, MetricTags], dict[str, float | Distribution]] = {}
    for instance, found in samples.items():
        for name, tags, value in _values(list(found)):
            rows.setdefault((name, tags), {})[instance] = value
    return [MetricRow(name, tags, values) for (name, tags), values in sorted(rows.items())]


def wants_metric(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return what tells whether a metric is wanted: all are without patterns.

    A pattern that fits the name of a histogram fits all of its parts.
    """

    def wants(name: str) -> bool:
        names = {name, *(name.removesuffix(part) for part in _PARTS)}
        return any(fnmatchcase(each, pattern) for pattern in patterns for each in names)

    return wants if patterns else lambda _name: True


def _values(samples: Sequence[Sample]) -> Iterator[tuple[str, MetricTags, float | Distribution]]:
    """Yield the metrics of one instance; those with the same name and tags are added up."""
    numbers: dict[tuple[str, MetricTags], float] = {}
    histograms: dict[tuple[str, MetricTags], dict[float, float]] = {}
    for name, value, tags in samples:
        bound = _bound(tags.get('le')) if name.endswith('.bucket') else None
        if bound is None:
            key = name, _sorted(tags)
            numbers[key] = numbers.get(key, 0.0) + value
            continue
        rest = {tag: text for tag, text in tags.items() if tag != 'le'}
        buckets = histograms.setdefault((name.removesuffix('.bucket'), _sorted(rest)), {})
        buckets[bound] = buckets.get(bound, 0.0) + value
    for (name, labels), buckets in histograms.items():
        for part in ('.count', '.sum'):
            numbers.pop((name + part, labels), None)
        yield name, labels, buckets
    for (name, labels), number in numbers.items():
        yield name, labels, number


def _sorted(tags: Mapping[str, object]) -> MetricTags:
    return tuple(sorted((tag, str(text)) for tag, text in tags.items()))


def _bound(text: object) -> float | None:
    try:
        bound = float(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if bound is None or isnan(bound) else bound
