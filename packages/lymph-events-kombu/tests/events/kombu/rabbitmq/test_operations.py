"""Probes of an instance whose RabbitMQ is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

import lymph
from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.servers import RabbitmqServer
from lymph.testing.waiting import eventually

LONG = 60.0  # seconds for what has to happen


class Heard(lymph.Interface):
    @lymph.event('operations.happened')
    def on_event(self, event: lymph.Event) -> None:
        pass


@pytest.fixture
def container(rabbitmq_server: RabbitmqServer, proxy: FaultProxy) -> Iterator[ServiceContainer]:
    url = rabbitmq_server.url.replace(rabbitmq_server.address, proxy.address)
    sections = {
        'registry': {'class': 'static'},
        'events': {'class': 'kombu', 'urls': url, 'heartbeat': 1},
        'operations': {'port': 0, 'away': 0.2},
    }
    container = ServiceContainer.from_config(Configuration(sections))
    container.install_interface(Heard)
    container.start()
    yield container
    container.stop()


def fetched(url: str) -> tuple[int, str]:
    try:
        with urlopen(url, timeout=LONG) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def test_an_instance_is_alive_but_not_ready_while_the_broker_is_away(
    container: ServiceContainer, proxy: FaultProxy, in_thread: Callable[..., Any]
) -> None:
    def get(path: str) -> Any:
        return in_thread(fetched, f'{container.operations}{path}')

    assert get('/readyz') == (200, 'ok\n')
    proxy.refuse()
    proxy.cut()
    eventually(lambda: get('/readyz')[0] == 503, LONG)
    assert 'broker: ' in get('/readyz')[1]
    assert ' has not been reached for ' in get('/readyz')[1]
    assert get('/livez') == (200, 'ok\n')
    proxy.heal()
    eventually(lambda: get('/readyz') == (200, 'ok\n'), LONG)
