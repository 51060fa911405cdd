"""Reading the metrics that containers publish; `metric_publisher` has the format."""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple, TypeGuard

from lymph.core._monitoring.metric_publisher import TOPIC
from lymph.core._monitoring.subscriber_socket import SubscriberSocket
from lymph.core.monitoring.metrics import Sample
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import unpack

__all__ = ['MetricReport', 'MetricSocket', 'read_report']

_LARGEST: Final = 64 * 1024 * 1024  # bytes of a report
_READ_AHEAD: Final = 1_000  # reports


class MetricReport(NamedTuple):
    """The metrics of one container at one time; see `metric_publisher`."""

    identity: str
    number: int
    time: float
    interval: float
    series: list[Sample]


class MetricSocket(SubscriberSocket):
    """Receives the metrics of all containers that it is connected to."""

    def __init__(self) -> None:
        super().__init__(TOPIC, _READ_AHEAD, _LARGEST)

    def receive(self) -> MetricReport | None:
        """Wait for the next report and return it; None for what is no report."""
        return read_report(self.receive_frames())


def read_report(frames: list[bytes]) -> MetricReport | None:
    """Return the report in the frames of a message, None for anything else.

    Series of a wrong form are left out.
    """
    if len(frames) != 2 or frames[0] != TOPIC:
        return None
    try:
        facts = unpack(frames[1])
    except SerializationError:
        return None
    if not isinstance(facts, dict):
        return None
    identity, number, series = (facts.get(name) for name in ('identity', 'number', 'series'))
    time, interval = facts.get('time'), facts.get('interval')
    if not isinstance(identity, str) or not isinstance(series, list):
        return None
    if not isinstance(number, int) or not (_is_time(time) and _is_time(interval)):
        return None
    samples = [sample for sample in map(_sample, series) if sample is not None]
    return MetricReport(identity, number, time, interval, samples)


def _sample(found: Any) -> Sample | None:
    if not isinstance(found, list) or len(found) != 3:
        return None
    name, value, tags = found
    if not isinstance(name, str) or not _is_number(value) or not isinstance(tags, dict):
        return None
    return name, value, {str(tag): str(text) for tag, text in tags.items()}


def _is_time(value: Any) -> TypeGuard[float]:
    return _is_number(value) and value >= 0 and math.isfinite(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
