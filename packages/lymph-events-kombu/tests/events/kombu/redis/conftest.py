"""Event systems over the test run's Redis, a load on them, and a proxy to break the connection."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lymph.config import Configuration
from lymph.core.events import Event
from lymph.core.workers import Workers
from lymph.events.backoff import Backoff
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.kombu import KombuEventSystem
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.loads import ClosedLoad
from lymph.testing.servers import RedisServer

PATIENCE = 60.0


class Bench:
    """Starts event systems and ends them; names topics and queues after the test."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.name = f't{secrets.token_hex(6)}'
        self.systems: list[BaseEventSystem] = []

    def make(self, pool_size: int | None = None, **keys: Any) -> BaseEventSystem:
        """Return an event system that is not started."""
        options = {'visibility_timeout': 3}
        keys = {'urls': self.server.url, 'heartbeat': 1, 'transport_options': options, **keys}
        config = Configuration({'events': keys})
        backoff = Backoff(first=0.1, jitter=0)
        system = KombuEventSystem.from_config(config.view('events'), backoff=backoff)
        system._workers = Workers(pool_size)
        return system

    def start(self, pool_size: int | None = None, **keys: Any) -> BaseEventSystem:
        """Return a started event system."""
        system = self.make(pool_size, **keys)
        system.on_start()
        self.systems.append(system)
        return system

    def close(self) -> None:
        """End all systems as a container does."""
        systems, self.systems = self.systems, []
        for system in systems:
            system.pause()
            system.workers.kill()
            system.on_stop()
            system.pool.kill()

    def subscribe(
        self, system: BaseEventSystem, handler: Callable[[Event], Any], **options: Any
    ) -> Subscription:
        """Subscribe to the events that `emit` emits."""
        subscription = Subscription(self.name, (self.topic,), handler, **options)
        system.subscribe(subscription)
        return subscription

    @property
    def topic(self) -> str:
        """The topic of this test."""
        return f'{self.name}.thing'

    def emit(self, system: BaseEventSystem, n: Any = 0, **options: Any) -> Event:
        """Emit an event with the parameter `n`."""
        event = Event(self.topic, {'n': n})
        system.emit(event, **options)
        return event

    def left(self) -> dict[str, int]:
        """Return what Redis stores for the queue of this test besides its bindings, by key."""
        commands = {
            f'lymph:ready:{self.name}': 'LLEN',
            f'lymph:due:{self.name}': 'ZCARD',
            f'lymph:events:{self.name}': 'HLEN',
            f'lymph:attempts:{self.name}': 'HLEN',
            f'lymph:losses:{self.name}': 'HLEN',
        }
        sizes = {key: int(self.server.command(word, key)) for key, word in commands.items()}
        return {key: size for key, size in sizes.items() if size}

    def user(self, permissions: str) -> str:
        """Create a user named after this test, and return its URL."""
        words = permissions.split()
        self.server.command('ACL', 'SETUSER', self.name, 'on', '>secret', '-@all', *words)
        return f'redis://{self.name}:secret@{self.server.address}'

    def ready(self) -> list[str]:
        """Return the numbers of the events that wait in the queue of this test, up to ten."""
        found = (
            self.server.command('LINDEX', f'lymph:ready:{self.name}', str(n)) for n in range(10)
        )
        return [each for each in found if each]

    def dead(self, system: BaseEventSystem) -> list[Any]:
        """Return the dead letters of this test."""
        assert system.dead_letters is not None
        return list(system.dead_letters.read(self.name))


@pytest.fixture
def bench(redis_server: RedisServer) -> Iterator[Bench]:
    """The tools of a test."""
    bench = Bench(redis_server)
    yield bench
    bench.close()


@pytest.fixture
def make_load(bench: Bench) -> Callable[..., ClosedLoad]:
    """Create loads on the queue of the test: `make_load(emitter, **options)`, options of `emit`."""

    def make_load(emitter: BaseEventSystem, **options: Any) -> ClosedLoad:
        return ClosedLoad(lambda n: bench.emit(emitter, n, **options))

    return make_load


@pytest.fixture
def proxy(bench: Bench) -> Iterator[FaultProxy]:
    """A breakable connection to Redis; it is restored before the event systems end."""
    with FaultProxy('127.0.0.1', bench.server.port) as proxy:
        yield proxy
        proxy.heal()
        bench.close()
