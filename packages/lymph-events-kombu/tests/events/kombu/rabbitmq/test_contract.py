"""RabbitMQ passes the contract of event systems, with either type of queues and serializer."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import Configuration
from lymph.events.backoff import Backoff
from lymph.events.kombu import KombuEventSystem
from lymph.testing.contracts.events import EventSystemContract
from lymph.testing.servers import RabbitmqServer


class TestQuorumQueues(EventSystemContract):
    queue_type = 'quorum'
    serializer = 'lymph-msgpack'
    unknown = frozenset(('bytes', 'delayed', 'oldest', 'running'))

    @pytest.fixture(autouse=True)
    def _use(self, rabbitmq_server: RabbitmqServer) -> None:
        self.server = rabbitmq_server

    def section(self) -> dict[str, Any]:
        return {
            'class': 'kombu',
            'urls': self.server.url,
            'queue_type': self.queue_type,
            'serializer': self.serializer,
            'exchange': f'lymph-{self.queue_type}',
        }

    def make_event_system(self) -> KombuEventSystem:
        config = Configuration({'events': self.section()})
        return KombuEventSystem.from_config(config.view('events'), backoff=Backoff(first=0.1))


class TestClassicQueuesAndJson(TestQuorumQueues):
    queue_type = 'classic'
    serializer = 'lymph-json'
