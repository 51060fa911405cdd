"""The metrics of one instance as it answers them, checked: its answer may be anything.

Samples that an overview does not need are left out, and so are those of another form. Samples of
one method, one queue or one HTTP interface that differ in other tags are added up: two versions of
an interface in one process have the same method twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import inf, isnan
from typing import Any, Final

from lymph.core.monitoring.metrics import Sample

__all__ = ['InstanceFigures', 'is_number', 'read_figures', 'read_samples']

#: samples of one instance that are read
_MOST: Final = 50_000
#: characters of the name of a metric, a method, a queue or an interface
_LONGEST: Final = 512
#: the largest number that is read; sums of thousands of them are still finite
_LARGEST: Final = 1e100
#: methods, queues or interfaces of one metric, and buckets of one histogram, that are read
_MOST_NAMES: Final = 2_000
_MOST_BUCKETS: Final = 200
_BUCKET: Final = '.bucket'

# the metrics that an overview needs -> the tag that says what they are about; '' stands for none
_NEEDED: Final = {
    **dict.fromkeys(
        (
            *('rpc.handled', 'rpc.failed', 'rpc.refused', 'rpc.running', 'rpc.seconds'),
            'rpc.duration.bucket',
        ),
        'method',
    ),
    **dict.fromkeys(
        (
            *('events.handled', 'events.failed', 'events.running', 'events.seconds'),
            'events.duration.bucket',
            *('queues.waiting', 'queues.delayed', 'queues.bytes', 'queues.oldest'),
            *('queues.running', 'queues.consumers', 'queues.dead'),
        ),
        'queue',
    ),
    **dict.fromkeys(
        (
            *('http.answered', 'http.refused', 'http.running', 'http.seconds'),
            'http.duration.bucket',
        ),
        'interface',
    ),
    **dict.fromkeys(
        (
            *('process.cpu', 'process.memory', 'process.descriptors', 'process.greenlets'),
            *('process.threads', 'loop.delay.bucket', 'registry.connected', 'broker.connected'),
        ),
        '',
    ),
}
#: the interface that every process has; its calls are no work of a service
_BUILTIN: Final = 'lymph.'


class InstanceFigures:
    """Numbers by the name of the metric and what it is about (the method, the queue or '').

    `buckets` has those of histograms: upper bounds and cumulative counts. ``http.errors`` is added:
    those of ``http.answered`` whose status is 500 or above.
    """

    __slots__ = ('buckets', 'numbers')

    def __init__(self) -> None:
        self.numbers: dict[str, dict[str, float]] = {}
        self.buckets: dict[str, dict[str, dict[float, float]]] = {}

    def number(self, name: str, about: str = '') -> float | None:
        """Return a number, None if there is none."""
        return self.numbers.get(name, {}).get(about)

    def add(self, name: str, about: str, value: float) -> None:
        """Add to a number."""
        numbers = self.numbers.setdefault(name, {})
        if about in numbers or len(numbers) < _MOST_NAMES:
            numbers[about] = numbers.get(about, 0) + value

    def add_bucket(self, name: str, about: str, bound: float, count: float) -> None:
        """Add to the count of a bucket."""
        histograms = self.buckets.setdefault(name, {})
        if about in histograms or len(histograms) < _MOST_NAMES:
            buckets = histograms.setdefault(about, {})
            if bound in buckets or len(buckets) < _MOST_BUCKETS:
                buckets[bound] = buckets.get(bound, 0) + count


def read_figures(answer: Any) -> InstanceFigures:
    """Return what the answer to ``lymph.get_metrics`` says."""
    found = InstanceFigures()
    # There may be a thousand instances, and most samples are not needed: they are left out first.
    for name, value, tags in _triples(answer):
        tag = _NEEDED.get(name)
        if tag is None or not isinstance(tags, Mapping):
            continue
        about = tags.get(tag, '') if tag else ''
        if isinstance(about, str) and not about.startswith(_BUILTIN) and is_number(value):
            _add(found, name, about[:_LONGEST], value, tags)
    return found


def read_samples(answer: Any) -> Iterator[Sample]:
    """Yield the samples in the answer to ``lymph.get_metrics``.

    Those of another form are left out, and those whose value is not finite.
    """
    for name, value, tags in _triples(answer):
        named = isinstance(tags, Mapping) and all(isinstance(each, str) for each in tags)
        if named and len(name) <= _LONGEST and is_number(value):
            yield name, value, dict(tags)


def _triples(answer: Any) -> Iterator[Sequence[Any]]:
    """Yield the lists of three, of which the first is a name."""
    if not isinstance(answer, (list, tuple)):
        return
    for each in answer[:_MOST]:
        if isinstance(each, (list, tuple)) and len(each) == 3 and isinstance(each[0], str):
            yield each


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number, and no boolean."""
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) <= _LARGEST  # NaN is not
    )


def _add(
    found: InstanceFigures, name: str, about: str, value: float, tags: Mapping[str, Any]
) -> None:
    if name.endswith(_BUCKET):
        bound = _bound(tags.get('le'))
        if bound is not None:
            found.add_bucket(name[: -len(_BUCKET)], about, bound, value)
        return
    found.add(name, about, value)
    if name == 'http.answered' and str(tags.get('status', '')).startswith('5'):
        found.add('http.errors', about, value)


def _bound(text: Any) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        bound = float(text)
    except ValueError:
        return None
    return None if isnan(bound) or bound == -inf else bound
