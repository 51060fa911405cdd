"""A real Prometheus scrapes an instance, and answers queries about its calls."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import gevent
import pytest

import lymph
from lymph.config import Configuration
from lymph.core import trace
from lymph.core._system.blocking import in_thread
from lymph.core.container import ServiceContainer
from lymph.core.monitoring.metrics import Gauge, TaggedCounter
from lymph.testing._servers.base import Server, ServerMissing
from lymph.testing._servers.ports import free_port
from lymph.testing._servers.processes import GuardedProcess
from lymph.testing.waiting import eventually

PATIENCE = 60.0
P99 = (
    'histogram_quantile(0.99, sum by (le, method) (rate('
    'lymph_rpc_duration_seconds_bucket{method="shop.take"}[10s])))'
)


class Prometheus(Server):
    """A private Prometheus on 127.0.0.1, which scrapes one target five times in two seconds."""

    name = 'Prometheus'

    def __init__(self, folder: Path, target: str) -> None:
        super().__init__(folder)
        self.port = free_port()
        self._target = target

    @property
    def address(self) -> str:
        return f'127.0.0.1:{self.port}'

    def get(self, path: str, **parameters: Any) -> Any:
        """Return the data of an answer of its HTTP API."""
        url = f'http://{self.address}/api/v1/{path}?{urlencode(parameters)}'
        with urlopen(url, timeout=PATIENCE) as answer:
            return json.load(answer)['data']

    def value(self, query: str) -> float:
        """Return the only value that a query has now, NaN if there is none."""
        found = self.get('query', query=query)['result']
        return float(found[0]['value'][1]) if len(found) == 1 else math.nan

    def _answers(self) -> bool:
        try:
            with urlopen(f'http://{self.address}/-/ready', timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _spawn(self) -> GuardedProcess:
        program = shutil.which('prometheus')
        if program is None:
            raise ServerMissing('Prometheus is not installed; apt-get install prometheus')
        config = {
            'global': {'scrape_interval': '400ms', 'scrape_timeout': '400ms'},
            'scrape_configs': [
                {'job_name': 'lymph', 'static_configs': [{'targets': [self._target]}]}
            ],
        }
        path = self.folder / 'prometheus.yml'
        path.write_text(json.dumps(config))  # which is YAML, too
        return GuardedProcess(
            [
                program,
                f'--config.file={path}',
                f'--storage.tsdb.path={self.folder / "data"}',
                f'--web.listen-address={self.address}',
                '--enable-feature=exemplar-storage',
                '--log.level=warn',
            ],
            environment={'PATH': os.environ.get('PATH', os.defpath), 'LANG': 'C.UTF-8'},
            folder=self.folder,
            log=self.log,
        )


class Shop(lymph.Interface):
    """Keeps the trace ids of its calls."""

    def on_start(self) -> None:
        self.trace_ids: set[str | None] = set()

    @lymph.rpc()
    def take(self) -> None:
        self.trace_ids.add(trace.get_id())
        gevent.sleep(0.03)


@pytest.fixture(scope='module')
def container() -> Iterator[ServiceContainer]:
    """Yield a container with an operations port, which answers calls all the time."""
    sections = {
        'registry': {'class': 'static'},
        'events': {'class': 'null'},
        'operations': {'port': 0},
        'metrics': {'tags': {'zone': 'a"b\\'}},
    }
    container = ServiceContainer.from_config(Configuration(sections))
    container.install_interface(Shop)
    container.start()

    def call() -> None:
        while True:
            container.request(str(container.endpoint), 'shop.take', timeout=PATIENCE)

    calling = container.spawn(call)
    yield container
    calling.kill()
    container.stop()


@pytest.fixture(scope='module')
def prometheus(
    container: ServiceContainer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    address = str(container.operations).removeprefix('http://')
    server = Prometheus(tmp_path_factory.mktemp('prometheus'), address)
    try:
        in_thread(server.start)
        yield server
    finally:
        in_thread(server.close)


def test_prometheus_scrapes_an_instance_and_answers_with_the_99th_percentile(
    container: ServiceContainer, prometheus: Prometheus
) -> None:
    placed = container.metrics.add(TaggedCounter('orders.placed'))
    placed.incr(shop='ö\n"}')
    container.metrics.add(Gauge('orders_placed_total', 3))  # the same name for Prometheus
    container.metrics.add(Gauge('endless', math.inf))

    def value(query: str) -> float:
        return float(in_thread(prometheus.value, query))

    eventually(lambda: value(P99) > 0, PATIENCE, lambda: prometheus.log_tail())
    assert 0.025 <= value(P99) < 60  # of calls that take 30 ms or more
    assert value('up') == 1
    assert value('lymph_rpc_handled_total{method="shop.take", zone="a\\"b\\\\"}') > 0
    eventually(lambda: value('orders_placed_total{shop="ö\\n\\"}"}') == 1, PATIENCE)
    assert value('endless') == math.inf
    assert value('process_resident_memory_bytes') > 1_000_000
    assert value('process_start_time_seconds') <= time.time()
    assert value('lymph_metrics_left_out_total') > 0
    (target,) = in_thread(lambda: prometheus.get('targets'))['activeTargets']
    assert (target['health'], target['lastError']) == ('up', '')


def test_prometheus_keeps_the_trace_ids_of_calls(
    container: ServiceContainer, prometheus: Prometheus
) -> None:
    def exemplars() -> list[str]:
        now = time.time()
        query = 'lymph_rpc_duration_seconds_bucket{method="shop.take"}'
        found = prometheus.get('query_exemplars', query=query, start=now - 60, end=now + 60)
        return [
            exemplar['labels']['trace_id'] for series in found for exemplar in series['exemplars']
        ]

    found = eventually(lambda: in_thread(exemplars), PATIENCE)
    (shop,) = container.interfaces
    assert isinstance(shop, Shop)
    assert set(found) <= shop.trace_ids
