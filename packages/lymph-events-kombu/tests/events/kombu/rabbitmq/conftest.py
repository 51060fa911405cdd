"""Event systems over the test run's RabbitMQ, and a proxy to break the connection."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

from lymph.config import Configuration
from lymph.core.events import Event
from lymph.core.workers import Workers
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.kombu import KombuEventSystem
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.servers import RabbitmqServer

_ADVANCED = '[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 5000}]}].\n'


class Bench:
    """Starts event systems and ends them; names topics and queues after the test."""

    advanced = _ADVANCED

    def __init__(self, server: Any, urls: Any = None) -> None:
        self.server = server
        self.urls = urls or server.url
        self.name = f't{secrets.token_hex(6)}'
        self.systems: list[KombuEventSystem] = []

    def make(self, **keys: Any) -> KombuEventSystem:
        """Return an event system that is not started."""
        keys = {'urls': self.urls, 'heartbeat': 1, **keys}
        config = Configuration({'events': keys})
        backoff = Backoff(first=0.1, jitter=0)
        system = KombuEventSystem.from_config(config.view('events'), backoff=backoff)
        system._workers = Workers(keys.get('prefetch'))
        return system

    def start(self, **keys: Any) -> KombuEventSystem:
        """Return a started event system."""
        system = self.make(**keys)
        system.on_start()
        self.systems.append(system)
        return system

    def stop(self, system: KombuEventSystem) -> None:
        """End a system as a container does."""
        self.systems.remove(system)
        system.pause()
        system.workers.kill()
        system.on_stop()
        system.pool.kill()

    def close(self) -> None:
        """End all systems."""
        for system in tuple(self.systems):
            self.stop(system)

    def kill_server(self) -> None:
        """Kill the broker and start it again.

        A broker that is killed within some seconds after it made a quorum queue may have forgotten
        it: the name is in a table that it writes with a delay. So that is written first. And what
        its queues pass on to each other while they come up may be lost on the way and is sent again
        when its time is over, by default after three minutes.
        """
        threadpool: Any = gevent.get_hub().threadpool
        (self.server.folder / 'advanced.config').write_text(self.advanced)
        threadpool.apply(self.server.control, ('eval', '[dets:sync(T) || T <- dets:all()].'))
        threadpool.apply(self.server.kill)
        threadpool.apply(self.server.start)

    def subscribe(
        self, system: KombuEventSystem, handler: Callable[[Event], Any], **options: Any
    ) -> Subscription:
        """Subscribe to the events that `emit` emits."""
        subscription = Subscription(self.name, (self.topic,), handler, **options)
        system.subscribe(subscription)
        return subscription

    def unsubscribed_queue(self, system: KombuEventSystem) -> None:
        """Declare the queue of `subscribe`, without a consumer."""
        system.declare(Subscription(self.name, (self.topic,), lambda event: None))

    @property
    def topic(self) -> str:
        """The topic of this test."""
        return f'{self.name}.thing'

    def emit(self, system: KombuEventSystem, n: Any = 0, **options: Any) -> Event:
        """Emit an event with the parameter `n`."""
        event = Event(self.topic, {'n': n})
        system.emit(event, **options)
        return event


@pytest.fixture
def make_bench() -> Iterator[Callable[..., Bench]]:
    """Make the tools of a test for a broker that is not the one of the test run."""
    made: list[Bench] = []

    def make_bench(server: Any, urls: Any) -> Bench:
        made.append(Bench(server, urls))
        return made[-1]

    yield make_bench
    for bench in made:
        bench.close()


@pytest.fixture
def bench(rabbitmq_server: RabbitmqServer) -> Iterator[Bench]:
    """The tools of a test."""
    bench = Bench(rabbitmq_server)
    yield bench
    bench.close()


@pytest.fixture
def proxy(rabbitmq_server: RabbitmqServer) -> Iterator[FaultProxy]:
    """A breakable connection to the broker."""
    with FaultProxy('127.0.0.1', rabbitmq_server.port) as proxy:
        yield proxy
