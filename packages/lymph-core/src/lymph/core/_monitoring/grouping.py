"""Samples in families. What would make the page invalid is left out, and why is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

from lymph.core._monitoring.exported_names import described_name, exported_labels, plain_name
from lymph.core._monitoring.families import FamilyKind, MetricFamily, PageLine
from lymph.core.monitoring.descriptions import MetricKind, description
from lymph.core.monitoring.histograms import BucketCount
from lymph.core.monitoring.metrics import Sample

__all__ = ['PAUSE', 'Grouped', 'LeftOut', 'grouped']

#: samples until there is a pause; a millisecond of work
PAUSE: Final = 100

_PARTS: Final = ('bucket', 'count', 'sum')
_MOST_REASONS: Final = 100


class LeftOut:
    """Counts the samples that are left out; `reasons` has one for each metric, at most 100."""

    def __init__(self) -> None:
        self.count = 0
        self.reasons: dict[str, str] = {}

    def add(self, source: str, reason: str) -> None:
        """Count a sample of the metric `source`."""
        self.count += 1
        if len(self.reasons) < _MOST_REASONS:
            self.reasons.setdefault(source, reason)


class Grouped(NamedTuple):
    """Families by name, each with its lines, and what was left out."""

    families: list[tuple[MetricFamily, list[PageLine]]]
    left_out: LeftOut


def grouped(
    samples: Iterable[Sample], kinds: Mapping[str, MetricKind], pause: Callable[[], object]
) -> Grouped:
    """Put samples in families. `kinds` are those of metrics without a description.

    `pause()` is called now and then.
    """
    given = list(samples)
    table = _Table({**kinds, **_histograms(given)})
    # those with a description first: no other metric takes a name from them
    described = {name: description(_base(name)) for name in {sample[0] for sample in given}}
    given.sort(key=lambda sample: described[sample[0]] is None)
    for number, (name, value, tags) in enumerate(given, 1):
        table.add(name, value, tags)
        if not number % PAUSE:
            pause()
    made = []
    for family in sorted(table.families, key=lambda family: family.name):
        lines, reasons = family.lines()
        for reason in reasons:
            table.left_out.add(family.source, reason)
        if lines:
            made.append((family, lines))
    return Grouped(made, table.left_out)


class _Table:
    """The families of a page, by the name of their metric and by their own names."""

    def __init__(self, kinds: Mapping[str, MetricKind]) -> None:
        self.left_out = LeftOut()
        self._kinds = kinds
        self._by_source: dict[str, MetricFamily] = {}
        self._by_name: dict[str, MetricFamily] = {}
        #: the family of the samples of a name, or why it has none; and the part of a histogram
        self._resolved: dict[str, tuple[MetricFamily | str, str]] = {}

    @property
    def families(self) -> list[MetricFamily]:
        return list({id(family): family for family in self._by_name.values()}.values())

    def add(self, name: str, value: int | float, tags: Mapping[str, object]) -> None:
        resolved = self._resolved.get(name)
        if resolved is None:
            resolved = self._resolved[name] = self._resolve(name)
        family, part = resolved
        if isinstance(family, str):
            self.left_out.add(self._source(name)[0], family)
            return
        labels = exported_labels(tags)
        if labels is None:
            reason = 'two of its tags have the same name for Prometheus'
        else:
            reason = family.add(part, value, labels)
        if reason:
            self.left_out.add(family.source, reason)

    def _resolve(self, name: str) -> tuple[MetricFamily | str, str]:
        source, part = self._source(name)
        family = self._by_source.get(source)
        if family is None:
            family = self._by_source[source] = self._made(source)
        owners = (self._by_name.get(each, family) for each in family.names)
        owner = next((each for each in owners if each is not family), None)
        if owner is not None:
            text = f'the metric {owner.source} has the same name for Prometheus, {owner.name}'
            return text, part
        self._by_name.update(dict.fromkeys(family.names, family))
        return family, part

    def _source(self, name: str) -> tuple[str, str]:
        """Return the name of the metric that a sample belongs to, and the part of a histogram."""
        base, _, part = name.rpartition('.')
        if part in _PARTS and self._kind(base) == 'histogram':
            return base, part
        return name, ''

    def _kind(self, source: str) -> FamilyKind:
        described = description(source)
        return self._kinds.get(source, 'unknown') if described is None else described.kind

    def _made(self, source: str) -> MetricFamily:
        described, kind = description(source), self._kind(source)
        if described is None:
            return MetricFamily(source, _without_total(plain_name(source), kind), kind)
        name = _without_total(described_name(described), kind)
        unit = described.unit if name.endswith(f'_{described.unit}') else ''
        return MetricFamily(source, name, kind, described.help, unit)


def _without_total(name: str, kind: FamilyKind) -> str:
    """Return the name of a family; that of a counter gets its suffix in each of its samples."""
    return name.removesuffix('_total') or name if kind == 'counter' else name


def _base(name: str) -> str:
    base, _, part = name.rpartition('.')
    return base if part in _PARTS and description(name) is None else name


def _histograms(samples: list[Sample]) -> dict[str, MetricKind]:
    """Return the names of histograms that their samples show, whatever has yielded them."""
    return {
        name.removesuffix('.bucket'): 'histogram'
        for name, value, _ in samples
        if isinstance(value, BucketCount) and name.endswith('.bucket')
    }
