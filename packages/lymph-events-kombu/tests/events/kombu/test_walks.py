"""ARCHITECTURE.md names exactly the files that handle an event over each broker."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from gevent.event import Event as Signal

import lymph
from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.testing._walks.drawings import check_walk, drawn

ARCHITECTURE = (Path(__file__).parents[5] / 'ARCHITECTURE.md').read_text()

#: what timers and the broker cause to run, whenever their time has come
UPKEEP = {
    'core.greenlets',  # a worker is made when the last one has not finished yet
    'events.kombu._connecting.reconnecting',  # heartbeats of a connection
    'events.kombu._rabbitmq.delays',  # names the delay queues that are declared again
    'events.kombu._rabbitmq.links',  # heartbeats of a connection
    'events.kombu._rabbitmq.names',  # names what is declared again
    'events.kombu._rabbitmq.records',  # adds queues to the record in the background
    'events.kombu._rabbitmq.topology',  # declares again what was deleted
    'events.kombu._rabbitmq.upkeep',  # the same
    'events.kombu._redis.names',  # names the keys of owners
}


class Listener(lymph.Interface):
    def apply_config(self, config: Any) -> None:
        self.handled = Signal()

    @lymph.event('walk.begun')
    def on_begun(self, event: lymph.Event) -> None:
        self.handled.set()

    def emit_and_handle(self) -> None:
        self.handled.clear()
        self.emit('walk.begun', {'n': 1})
        assert self.handled.wait(60)


@pytest.mark.parametrize(
    ('fixture', 'headings'),
    [
        ('rabbitmq_server', ['Over RabbitMQ']),
        ('redis_server', ['Events leased from a store', 'Over Redis']),
    ],
)
def test_files_that_handle_an_event_are_those_of_the_document(
    fixture: str, headings: list[str], request: pytest.FixtureRequest
) -> None:
    urls = request.getfixturevalue(fixture).url
    config = Configuration(
        {
            'container': {
                'registry': {'class': 'static'},
                'events': {'class': 'kombu', 'urls': urls},
                'block_threshold': 0,
            }
        }
    )
    service = ServiceContainer.from_config(config.view('container'))
    listener = service.install_interface(Listener, f't{secrets.token_hex(6)}')
    service.start(register=False)
    try:
        walk = drawn(ARCHITECTURE, 'Every event', *headings)
        check_walk(listener.emit_and_handle, walk, UPKEEP)
    finally:
        service.stop()
