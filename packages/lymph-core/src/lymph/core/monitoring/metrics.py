"""Metrics: objects that yield (name, value, tags) triples whenever they are iterated.

Source: the manual, section 5.7.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable as _Callable
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final, TypeVar

from lymph.config.printable import quoted
from lymph.core.failures import Killed, described, log_failure
from lymph.core.monitoring.descriptions import MetricKind

__all__ = [
    'Aggregate',
    'Callable',
    'Counter',
    'Gauge',
    'Generator',
    'Metric',
    'Sample',
    'TaggedCounter',
    'Tags',
]

logger = logging.getLogger(__name__)

Tags = dict[str, str]
Sample = tuple[str, int | float, Tags]
M = TypeVar('M', bound=Iterable[Sample])

# MessagePack has integers from here to there; others would make all metrics unreadable
_INT_MIN: Final = -(2**63)
_INT_MAX: Final = 2**64 - 1


class Metric(ABC):
    """The abstract base of metrics with one name; subclasses define `__iter__`."""

    #: what Prometheus is told of a metric without a description; None: nothing
    kind: ClassVar[MetricKind | None] = None

    def __init__(self, name: str, tags: Tags | None = None) -> None:
        self.name = name
        self.tags: Tags = dict(tags or {})

    def __repr__(self) -> str:
        return f'<{type(self).__name__} {self.name!r}>'

    @abstractmethod
    def __iter__(self) -> Iterator[Sample]:
        """Yield the metric as one (name, value, tags) triple."""


class Gauge(Metric):
    """A number that goes up and down."""

    kind = 'gauge'

    def __init__(self, name: str, value: float = 0, tags: Tags | None = None) -> None:
        super().__init__(name, tags)
        self.value = value

    def set(self, value: float) -> None:
        """Set the value of the gauge."""
        self.value = value

    def __iter__(self) -> Iterator[Sample]:
        yield self.name, self.value, self.tags


class Callable(Metric):
    """A gauge whose value is what `func` returns when the metric is read."""

    kind = 'gauge'

    def __init__(self, name: str, func: _Callable[[], float], tags: Tags | None = None) -> None:
        super().__init__(name, tags)
        self.func = func

    def __iter__(self) -> Iterator[Sample]:
        yield self.name, self.func(), self.tags


class Counter(Metric):
    """A number that only goes up: ``counter += 1``."""

    kind = 'counter'

    def __init__(self, name: str, tags: Tags | None = None) -> None:
        super().__init__(name, tags)
        self.value: float = 0

    def __iadd__(self, value: float) -> Counter:
        """Add `value`. Raises ValueError if it is negative."""
        if value < 0:
            raise ValueError(f'counter {self.name} only goes up; expected >= 0, found {value}')
        self.value += value
        return self

    def __iter__(self) -> Iterator[Sample]:
        yield self.name, self.value, self.tags


class TaggedCounter(Metric):
    """A counter for each combination of tags, created when it is first incremented."""

    kind = 'counter'

    def __init__(self, name: str, tags: Tags | None = None) -> None:
        super().__init__(name, tags)
        self._values: dict[tuple[tuple[str, str], ...], float] = {}

    def incr(self, _by: float = 1, **tags: str) -> None:
        """Add `_by` to the counter of these tags.

        Raises ValueError if `_by` is negative.
        """
        if _by < 0:
            raise ValueError(f'counter {self.name} only goes up; expected >= 0, found {_by}')
        key = tuple(sorted(tags.items()))
        self._values[key] = self._values.get(key, 0) + _by

    def __iter__(self) -> Iterator[Sample]:
        for key, value in list(self._values.items()):
            yield self.name, value, {**self.tags, **dict(key)}


class Generator:
    """Metrics that a function yields as (name, value, tags) triples each time they are read."""

    def __init__(self, func: _Callable[[], Iterable[Sample]]) -> None:
        self.func = func

    def __repr__(self) -> str:
        return f'<{type(self).__name__} of {getattr(self.func, "__qualname__", self.func)}>'

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.func())


class Aggregate:
    """A collection of metrics, with tags that are added to all of them.

    A metric that raises when it is read, or yields an invalid sample, is left out. That is logged
    once as an error, and at the level DEBUG until the metric can be read again. What cannot be sent
    is changed: booleans and integers of more than 64 bits become floats, lone surrogates escapes.
    """

    def __init__(self, metrics: Iterable[Iterable[Sample]] = (), tags: Tags | None = None) -> None:
        self._metrics: list[Iterable[Sample]] = list(metrics)
        self._failing: set[int] = set()  # by `id`; those that are in `_metrics`
        self.tags: Tags = dict(tags or {})

    def add(self, metric: M) -> M:
        """Add a metric object to the collection and return it."""
        self._metrics.append(metric)
        return metric

    def remove(self, metric: Iterable[Sample]) -> None:
        """Remove a metric object; one that was not added is ignored."""
        self._metrics = [known for known in self._metrics if known is not metric]
        self._failing.discard(id(metric))

    def add_tags(self, **tags: str) -> None:
        """Add tags to all metrics, including those added later."""
        self.tags.update(tags)

    def kinds(self) -> dict[str, MetricKind]:
        """Return the kinds of metrics by their names, as far as their classes tell them.

        A name with two kinds is not among them.
        """
        found: dict[str, set[MetricKind]] = {}
        for metric in list(self._metrics):
            if isinstance(metric, Aggregate):
                for name, kind in metric.kinds().items():
                    found.setdefault(name, set()).add(kind)
            elif isinstance(metric, Metric) and metric.kind is not None:
                found.setdefault(metric.name, set()).add(metric.kind)
        return {name: kinds.pop() for name, kinds in found.items() if len(kinds) == 1}

    def __iter__(self) -> Iterator[Sample]:
        for metric in list(self._metrics):
            try:
                samples = [
                    _checked(name, value, {**self.tags, **tags}) for name, value, tags in metric
                ]
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
                level = logging.DEBUG if id(metric) in self._failing else logging.ERROR
                self._failing.add(id(metric))
                log_failure(logger, error, '%s could not be read', described(metric), level=level)
            else:
                self._failing.discard(id(metric))
                yield from samples


def _checked(name: str, value: int | float, tags: Tags) -> Sample:
    if not isinstance(name, str) or not isinstance(value, (int, float)):
        raise TypeError(f'expected a name and a number, found {quoted(name)} and {quoted(value)}')
    usual = name.isascii()
    for tag, text in tags.items():
        if type(text) is str and type(tag) is str:  # the quickest test: there are many tags
            usual = usual and text.isascii() and tag.isascii()
        elif isinstance(tag, str) and isinstance(text, (str, int, float, type(None))):
            usual = False
        else:
            raise TypeError(f'expected tags of text, found {quoted(tag)}: {quoted(text)}')
    if not usual:
        name, tags = _encodable(name), {_encodable(tag): _sendable(tags[tag]) for tag in tags}
    if isinstance(value, bool) or not _INT_MIN <= value <= _INT_MAX:
        return name, float(value), tags  # OverflowError beyond 1.8e308
    return name, value, tags


def _sendable(value: object) -> Any:
    if isinstance(value, str):
        return _encodable(value)
    large = isinstance(value, int) and not _INT_MIN <= value <= _INT_MAX
    return str(value) if large else value


def _encodable(text: str) -> str:
    """Return text with lone surrogates, as in file names, as escapes."""
    return text if text.isascii() else text.encode(errors='backslashreplace').decode()
