"""`confirm`: py-amqp alone, which publishes an event and waits for its confirm, then the next.

All emitters, which are threads, take turns on one channel.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

import amqp

from bench.driving import threads as driving
from bench.events.subjects import PREFETCH

__all__ = ['connect', 'driving', 'handle']

_EXCHANGE, _QUEUE, _TOPIC = 'bench.confirm', 'bench.confirm', 'bench.happened'
_PERSISTENT = 2


def handle(
    where: str, note: Callable[[Mapping[str, Any]], object], ready: Callable[[], object]
) -> None:
    connection = _connect(where)
    channel = connection.channel()
    channel.exchange_declare(_EXCHANGE, 'topic', durable=True, auto_delete=False)
    channel.queue_declare(
        _QUEUE, durable=True, auto_delete=False, arguments={'x-queue-type': 'quorum'}
    )
    channel.queue_bind(_QUEUE, _EXCHANGE, _TOPIC)
    channel.basic_qos(0, PREFETCH, False)

    def receive(message: amqp.Message) -> None:
        note(json.loads(message.body))
        channel.basic_ack(message.delivery_tag)

    channel.basic_consume(_QUEUE, callback=receive)
    ready()
    while True:
        connection.drain_events()


def connect(where: str) -> Callable[[dict[str, Any]], object]:
    channel = _connect(where, confirm_publish=True).channel()
    turn = Lock()

    def emit(payload: dict[str, Any]) -> None:
        message = amqp.Message(
            json.dumps(payload), content_type='application/json', delivery_mode=_PERSISTENT
        )
        with turn:
            channel.basic_publish(message, _EXCHANGE, _TOPIC)

    return emit


def _connect(where: str, **options: Any) -> amqp.Connection:
    url = urlsplit(where)
    connection = amqp.Connection(
        url.netloc.rpartition('@')[2], url.username, url.password, **options
    )
    connection.connect()
    return connection
