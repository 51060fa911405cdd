"""Serial events through RabbitMQ, with real processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lymph.testing.contracts.serial_events import SerialEventsContract
from lymph.testing.servers import RabbitmqServer


class TestQuorumQueues(SerialEventsContract):
    queue_type = 'quorum'

    @pytest.fixture
    def server(self, rabbitmq_server: RabbitmqServer) -> RabbitmqServer:
        return rabbitmq_server

    def configuration(self, folder: Path, server: Any) -> dict[str, Any]:
        return {
            'container': {
                'registry': {'class': 'embedded', 'path': str(folder / 'state')},
                'events': {
                    'class': 'kombu',
                    'urls': server.url,
                    'heartbeat': 1,
                    'exchange': self.name,
                    'queue_type': self.queue_type,
                },
            }
        }


class TestClassicQueues(TestQuorumQueues):
    queue_type = 'classic'
