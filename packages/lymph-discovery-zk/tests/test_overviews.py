"""An overview while ZooKeeper is away."""

from __future__ import annotations

import time
from typing import Any

import lymph
from lymph.client import Client
from lymph.core.container import ServiceContainer
from lymph.core.monitoring.overview import Overview
from lymph.events.null import NullEventSystem
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

PATIENCE = 30.0


class Mail(lymph.Interface):
    @lymph.rpc()
    def send(self) -> None:
        pass


def test_instances_are_asked_while_the_registry_is_away(make: Any, zookeeper_server: Any) -> None:
    host, _, port = zookeeper_server.hosts.partition(':')
    with FaultProxy(host, int(port)) as proxy:
        service = ServiceContainer.from_config(registry=make(), events=NullEventSystem())
        service.install_interface(Mail)
        service.start()
        registry = make(hosts=proxy.address)
        with (
            Client.from_config(registry=registry, events=NullEventSystem()) as client,
            Overview(client.container) as overview,
        ):
            eventually(lambda: overview.poll().service('mail'), PATIENCE)
            assert overview.poll().registry.connected is True

            proxy.refuse()
            proxy.cut()
            eventually(lambda: overview.poll().registry.connected is False, PATIENCE)
            client.request(service.endpoint, 'mail.send')
            began = time.monotonic()
            snapshot = overview.poll()
            assert time.monotonic() - began < 5
            mail = snapshot.service('mail')
            assert mail is not None
            assert (mail.up, mail.calls.total) == (1, 1)

            proxy.heal()
            eventually(lambda: overview.poll().registry.connected, PATIENCE)
            eventually(lambda: overview.poll().problems == {}, PATIENCE)
        service.stop()
