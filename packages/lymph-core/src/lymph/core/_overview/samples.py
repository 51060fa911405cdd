"""The metrics of one instance as it answers them, checked: its answer may be anything.

Samples that an overview does not need are left out, and so are those of another form. Samples of
one method, one queue or one HTTP interface that differ in other tags are added up: two versions of
an interface in one process have the same method twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import Any, Final

from lymph.core.monitoring.metrics import Sample

__all__ = ['InstanceFigures', 'read_figures', 'read_samples']

#: samples of one instance that are read
_MOST: Final = 50_000
#: characters of the name of a method, a queue or an interface
_LONGEST: Final = 512
#: the largest number that is read; no comparison with NaN is true
_LARGEST: Final = 2**1023
_BUCKET: Final = '.bucket'

# what a sample is about: the first part of its name -> the tag with the method, queue or interface
_ABOUT: Final = {'rpc': 'method', 'events': 'queue', 'queues': 'queue', 'http': 'interface'}
_PLAIN: Final = frozenset(('loop', 'process', 'registry', 'broker'))


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
        numbers[about] = numbers.get(about, 0) + value


def read_figures(answer: Any) -> InstanceFigures:
    """Return what the answer to ``lymph.get_metrics`` says."""
    found = InstanceFigures()
    for name, value, tags in read_samples(answer):
        _add(found, name, value, tags)
    return found


def read_samples(answer: Any) -> Iterator[Sample]:
    """Yield the samples in the answer to ``lymph.get_metrics``.

    Those of another form are left out, and those whose value is not finite.
    """
    if not isinstance(answer, (list, tuple)):
        return
    for sample in answer[:_MOST]:
        if not isinstance(sample, (list, tuple)) or len(sample) != 3:
            continue
        name, value, tags = sample
        if (
            isinstance(name, str)
            and len(name) <= _LONGEST
            and isinstance(value, (int, float))
            and not isinstance(value, bool)
            and isinstance(tags, Mapping)
            and all(isinstance(each, str) for each in tags)
            and abs(value) <= _LARGEST
        ):
            yield name, value, {tag: tags[tag] for tag in tags}


def _add(found: InstanceFigures, name: str, value: float, tags: Mapping[Any, Any]) -> None:
    family = name.partition('.')[0]
    tag = _ABOUT.get(family)
    about = ''
    if tag is not None:
        about = tags.get(tag, '')
        if not isinstance(about, str) or len(about) > _LONGEST:
            return
    elif family not in _PLAIN:
        return
    if name.endswith(_BUCKET):
        bound = _bound(tags.get('le'))
        if bound is not None:
            buckets = found.buckets.setdefault(name[: -len(_BUCKET)], {}).setdefault(about, {})
            buckets[bound] = buckets.get(bound, 0) + value
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
    return bound if isfinite(bound) or bound == inf else None
