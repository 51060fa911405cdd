"""`lymph`: a service and a client as their authors write them, nothing switched off.

With `events` kombu through the broker, with embedded through the store in a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import lymph
from bench.driving import greenlets as driving
from bench.events.subjects import PREFETCH
from lymph import monkey
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.core.events import Event

__all__ = ['Handling', 'connect', 'driving', 'handle']


class Handling(lymph.Interface):
    note: Callable[[Mapping[str, Any]], object]

    @lymph.event('bench.happened')
    def on_happened(self, event: Event) -> None:
        """Note the event."""
        self.note(event.body)


def handle(
    where: str,
    note: Callable[[Mapping[str, Any]], object],
    ready: Callable[[], object],
    events: str,
) -> None:
    monkey.patch()
    config = _config(where, events)
    container = build_container(
        Configuration({**config, 'interfaces': {'handling': {'class': f'{__name__}:Handling'}}})
    )
    for interface in container.interfaces:
        if isinstance(interface, Handling):
            interface.note = note
    container.start()
    ready()
    container.join()


def connect(where: str, events: str) -> Callable[[dict[str, Any]], object]:
    monkey.patch()
    client = Client.from_config(Configuration(_config(where, events)))

    def emit(payload: dict[str, Any]) -> None:
        client.emit('bench.happened', payload)

    return emit


def _config(where: str, events: str) -> dict[str, Any]:
    sections = {
        'kombu': {'class': 'kombu', 'hostname': where, 'prefetch': PREFETCH},
        'embedded': {'class': 'embedded', 'path': where},
    }
    return {'container': {'registry': {'class': 'static'}, 'events': sections[events]}}
