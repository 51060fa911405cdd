"""Containers that meet in this process's memory, and nothing left of them after a test."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.base import DEFAULT_MAX_MESSAGE_SIZE
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.events.null import NullEventSystem
from lymph.testing.waiting import eventually


class World:
    """Makes containers that find, call and hear each other; stops them at the end of the test."""

    def __init__(self):
        self.network = MemoryNetwork()
        self.registry_hub = StaticServiceRegistryHub()
        self.event_hub = LocalEventSystemHub()
        self.containers = []

    def container(
        self,
        *interfaces,
        start=True,
        events=True,
        registry=None,
        max_message_size=DEFAULT_MAX_MESSAGE_SIZE,
        **options,
    ):
        """Return a container with `interfaces`: classes, or tuples that `install_interface` takes.

        `options` are keywords of ServiceContainer or fields of Settings.
        """
        own = {name: options.pop(name) for name in ('worker', 'on_demand') if name in options}
        options.setdefault('block_threshold', 0)
        options.setdefault('drain_timeout', 0)
        container = ServiceContainer(
            MemoryTransport(max_message_size, network=self.network),
            self.registry_hub.create_registry() if registry is None else registry,
            LocalEventSystem(self.event_hub) if events else NullEventSystem(),
            ContainerSettings(**options),
            **own,
        )
        self.containers.append(container)
        for interface in interfaces:
            container.install_interface(
                *(interface if isinstance(interface, tuple) else (interface,))
            )
        if start:
            container.start()
        return container

    def stop(self):
        """Stop all containers; nothing may be left of them."""
        for container in self.containers:
            container.stop()
        eventually(self.nothing_is_left)

    def nothing_is_left(self):
        """Assert that no table holds anything of the containers."""
        assert self.network.links == set()
        assert self.network.listeners == {}
        assert self.registry_hub.names('rpc') == set()
        for container in self.containers:
            stats = container.rpc.stats()
            assert stats['connections'] == []
            assert stats['deferred'] == 0
            assert container.workers.running == 0
            assert len(container.pool) == 0
        return True


@pytest.fixture
def world():
    """Yield a World."""
    world = World()
    yield world
    world.stop()


class Cancellable(lymph.Interface):
    """Waits until it is cancelled, and notes why."""

    def on_start(self):
        self.begun = Queue()
        self.ended = Queue()

    @lymph.rpc(cancel=True)
    def wait(self):
        self.begun.put(True)
        try:
            Event().wait(30)
        except lymph.Cancelled as error:
            self.ended.put(error.reason)
            raise


@pytest.fixture
def cancellable():
    """Return an interface class whose method `wait` waits until it is cancelled."""
    return Cancellable


@pytest.fixture
def spawn():
    """Yield `gevent.spawn`; what was spawned ends with the test."""
    greenlets = []

    def spawn(*args, **kwargs):
        greenlets.append(gevent.spawn(*args, **kwargs))
        return greenlets[-1]

    yield spawn
    gevent.killall(greenlets, timeout=5)
