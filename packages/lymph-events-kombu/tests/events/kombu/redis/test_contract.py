"""Redis passes the contract of event systems, except for exclusive queues, which it rejects."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import Configuration
from lymph.events.backoff import Backoff
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.kombu import KombuEventSystem
from lymph.exceptions import SubscriptionError
from lymph.testing.contracts._events.carrying import CarryingContract
from lymph.testing.contracts._events.dead_letters import DeadLettersContract
from lymph.testing.contracts._events.delays import DelaysContract
from lymph.testing.contracts._events.failures import FailuresContract
from lymph.testing.contracts._events.interception import InterceptionContract
from lymph.testing.contracts._events.interfaces import InterfacesContract
from lymph.testing.contracts._events.lifetimes import LifetimesContract
from lymph.testing.contracts._events.losses import LossesContract
from lymph.testing.contracts._events.outcomes import OutcomesContract
from lymph.testing.contracts._events.queues import QueuesContract
from lymph.testing.contracts._events.sharing import SharingContract
from lymph.testing.contracts._events.sizes import SizesContract
from lymph.testing.contracts._events.threads import ThreadsContract
from lymph.testing.contracts._events.topics import TopicsContract
from lymph.testing.contracts._events.versions import UnbindingContract, VersionsContract
from lymph.testing.servers import RedisServer


class TestRedis(
    CarryingContract,
    TopicsContract,
    SharingContract,
    LifetimesContract,
    DelaysContract,
    FailuresContract,
    OutcomesContract,
    DeadLettersContract,
    QueuesContract,
    InterceptionContract,
    InterfacesContract,
    SizesContract,
    ThreadsContract,
    VersionsContract,
    UnbindingContract,
):
    @pytest.fixture(autouse=True)
    def _use(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    def make_event_system(self) -> BaseEventSystem:
        config = Configuration({'events': {'urls': self.server.url}})
        return KombuEventSystem.from_config(config.view('events'), backoff=Backoff(first=0.1))

    @pytest.mark.parametrize('act', ['subscribe', 'declare'])
    def test_exclusive_queue_is_rejected_and_named(self, act: str) -> None:
        system = self.start()
        exclusive = Subscription(self.queue(), (self.topic('thing'),), print, exclusive=True)
        with pytest.raises(SubscriptionError, match=rf'{self.queue()}.*print.*use RabbitMQ'):
            getattr(system, act)(exclusive)
        assert not system.has_queue(self.queue())


class TestLostConsumers(LossesContract):
    @pytest.fixture(autouse=True)
    def _use(self, redis_server: RedisServer) -> None:
        self.server = redis_server

    def section(self) -> dict[str, Any]:
        options = {'visibility_timeout': 1}
        return {'class': 'kombu', 'urls': self.server.url, 'transport_options': options}

    def make_event_system(self) -> BaseEventSystem:
        config = Configuration({'events': self.section()})
        return KombuEventSystem.from_config(config.view('events'))
