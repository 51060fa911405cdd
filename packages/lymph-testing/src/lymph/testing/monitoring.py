"""Metrics of running instances, for tests that wait until something has happened in them.

The instances publish them at `container.monitoring_endpoint`::

    with PublishedMetrics() as metrics:
        metrics.follow(client.container.lookup('shop'))
        metrics.wait_for('events.handled', 3, queue='shop.on_order')
"""

from __future__ import annotations

from collections.abc import Iterable
from types import TracebackType

import gevent

from lymph.core._monitoring.metric_reader import MetricReport, MetricSocket
from lymph.core.monitoring.metrics import Sample
from lymph.core.services import ServiceInstance

__all__ = ['MetricReport', 'PublishedMetrics']

_TIMEOUT = 10.0  # seconds


class PublishedMetrics:
    """Receives the metrics of all instances that it follows; a context manager that closes it.

    A report has the metrics of one instance at one time, and comes every
    `container.metrics.interval` seconds.
    """

    def __init__(self) -> None:
        self._socket = MetricSocket()
        #: the last report of each instance by its identity, also of instances that have ended
        self.latest: dict[str, MetricReport] = {}

    def __enter__(self) -> PublishedMetrics:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def follow(self, instances: Iterable[ServiceInstance]) -> None:
        """Receive the metrics of these instances, such as those of a `Service`, from now on.

        Raises ValueError for an instance that publishes none.
        """
        for instance in instances:
            if instance.monitoring_endpoint is None:
                raise ValueError(
                    f'expected an instance that publishes its metrics, found {instance.endpoint}, '
                    'which does not; set container.monitoring_endpoint: tcp://127.0.0.1'
                )
            self.connect(instance.monitoring_endpoint)

    def connect(self, endpoint: str) -> None:
        """Receive what is published at an endpoint. Raises OSError if it is not one of libzmq."""
        self._socket.connect(endpoint)

    def receive(self, timeout: float = _TIMEOUT) -> MetricReport:
        """Wait for the next report of any instance and return it.

        Raises TimeoutError when none has come after `timeout` seconds, 10 by default.
        """
        with gevent.Timeout(timeout, TimeoutError(f'no metrics within {timeout:g} s')):
            while True:
                report = self._socket.receive()
                if report is not None:
                    self.latest[report.identity] = report
                    return report

    def value(self, name: str, **tags: str) -> float | None:
        """Return the sum of a metric over the last reports of all instances; None without a series.

        The series are those that have `tags`; they may have others, too.
        """
        found = [
            value for report in self.latest.values() for value in _values(report.series, name, tags)
        ]
        return sum(found) if found else None

    def wait_for(self, name: str, at_least: float, timeout: float = _TIMEOUT, **tags: str) -> float:
        """Wait until `value(name, **tags)` is `at_least` so much, and return it.

        Raises AssertionError after `timeout` seconds, 10 by default; it has the last value.
        """
        mine = gevent.Timeout(timeout)
        try:
            with mine:
                while True:
                    value = self.value(name, **tags)
                    if value is not None and value >= at_least:
                        return value
                    self.receive(timeout)
        except (gevent.Timeout, TimeoutError) as error:
            if isinstance(error, gevent.Timeout) and error is not mine:
                raise
        of = ''.join(f', {tag} {text}' for tag, text in tags.items())
        raise AssertionError(
            f'{name}{of}: expected {at_least:g} within {timeout:g} s, '
            f'found {self.value(name, **tags)} in the metrics of {len(self.latest)} instances'
        )

    def close(self) -> None:
        """End all connections."""
        self._socket.close()


def _values(series: Iterable[Sample], name: str, tags: dict[str, str]) -> list[float]:
    wanted = tags.items()
    return [value for found, value, own in series if found == name and wanted <= own.items()]
