"""`kombu`: its own pool of producers, emitters as threads, and its own consumer.

Each emitter that is at work has a connection of its own, which publishes and waits for the confirm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kombu import Connection, Exchange, Message, Queue, pools
from kombu.mixins import ConsumerMixin

from bench.driving import threads as driving
from bench.events.subjects import PREFETCH

__all__ = ['connect', 'driving', 'handle']

_TOPIC = 'bench.happened'
_EXCHANGE = Exchange('bench.kombu', 'topic', durable=True, delivery_mode='persistent')
_QUEUE = Queue(
    'bench.kombu',
    _EXCHANGE,
    routing_key=_TOPIC,
    durable=True,
    queue_arguments={'x-queue-type': 'quorum'},
)
_CONNECTIONS = 64  # as many as there are emitters


class _Consumer(ConsumerMixin):
    def __init__(
        self,
        connection: Connection,
        note: Callable[[Mapping[str, Any]], object],
        ready: Callable[[], object],
    ) -> None:
        self.connection = connection
        self._note = note
        self._ready = ready

    def get_consumers(self, Consumer: Any, channel: Any) -> list[Any]:
        return [Consumer([_QUEUE], callbacks=[self._receive], prefetch_count=PREFETCH)]

    def on_consume_ready(self, *args: Any, **kwargs: Any) -> None:
        self._ready()

    def _receive(self, body: dict[str, Any], message: Message) -> None:
        self._note(body)
        message.ack()


def handle(
    where: str, note: Callable[[Mapping[str, Any]], object], ready: Callable[[], object]
) -> None:
    with Connection(where) as connection:
        _Consumer(connection, note, ready).run()


def connect(where: str) -> Callable[[dict[str, Any]], object]:
    pools.set_limit(_CONNECTIONS)
    producers = pools.producers[Connection(where, transport_options={'confirm_publish': True})]

    def emit(payload: dict[str, Any]) -> None:
        with producers.acquire(block=True) as producer:
            producer.publish(payload, exchange=_EXCHANGE, routing_key=_TOPIC, serializer='json')

    return emit
