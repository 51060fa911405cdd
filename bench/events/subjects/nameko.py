"""`nameko`: its standalone dispatcher, emitters as green threads, and a service that consumes.

The service uses nameko's `consume`, as its `event_handler` cannot declare a quorum queue; the queue
is bound to the exchange of nameko's events.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import eventlet

eventlet.monkey_patch()  # as the command of nameko does, before all others are imported

from kombu import Queue, pools  # noqa: E402
from nameko.containers import ServiceContainer  # noqa: E402
from nameko.messaging import consume  # noqa: E402
from nameko.standalone.events import event_dispatcher, get_event_exchange  # noqa: E402

from bench.driving import eventlets as driving  # noqa: E402
from bench.events.subjects import PREFETCH  # noqa: E402

__all__ = ['connect', 'driving', 'handle']

_SOURCE, _TOPIC = 'bench.nameko', 'happened'
_CONNECTIONS = 64  # as many as there are emitters
_QUEUE = Queue(
    'bench.nameko',
    get_event_exchange(_SOURCE, {}),
    routing_key=_TOPIC,
    durable=True,
    queue_arguments={'x-queue-type': 'quorum'},
)


def handle(
    where: str, note: Callable[[Mapping[str, Any]], object], ready: Callable[[], object]
) -> None:
    class Handling:
        name = 'handling'

        @consume(_QUEUE)  # type: ignore[untyped-decorator]  # nameko has no types
        def on_happened(self, payload: dict[str, Any]) -> None:
            note(payload)

    # nameko has as many events sent ahead as there are workers
    container = ServiceContainer(Handling, {'AMQP_URI': where, 'max_workers': PREFETCH})
    container.start()
    ready()
    container.wait()


def connect(where: str) -> Callable[[dict[str, Any]], object]:
    pools.set_limit(_CONNECTIONS)
    dispatch = event_dispatcher({'AMQP_URI': where})

    def emit(payload: dict[str, Any]) -> None:
        dispatch(_SOURCE, _TOPIC, payload)

    return emit
