"""`FastStream`: a broker object on each side, on asyncio, without the log line for each message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from faststream.rabbit import (
    Channel,
    ExchangeType,
    QueueType,
    RabbitBroker,
    RabbitExchange,
    RabbitQueue,
)

from bench.driving import coroutines as driving
from bench.events.subjects import PREFETCH

__all__ = ['connect', 'driving', 'handle']

_TOPIC = 'bench.happened'
_EXCHANGE = RabbitExchange('bench.faststream', type=ExchangeType.TOPIC, durable=True)
_QUEUE = RabbitQueue(
    'bench.faststream', queue_type=QueueType.QUORUM, durable=True, routing_key=_TOPIC
)


def handle(
    where: str, note: Callable[[Mapping[str, Any]], object], ready: Callable[[], object]
) -> None:
    asyncio.run(_handle(where, note, ready))


async def _handle(
    where: str, note: Callable[[Mapping[str, Any]], object], ready: Callable[[], object]
) -> None:
    broker = _broker(where)

    @broker.subscriber(_QUEUE, _EXCHANGE)  # type: ignore[untyped-decorator]  # not installed here
    async def on_happened(payload: dict[str, Any]) -> None:
        note(payload)

    await broker.start()
    ready()
    await asyncio.Event().wait()


def connect(where: str) -> Callable[[dict[str, Any]], Awaitable[object]]:
    broker = _broker(where)
    driving.LOOP.run_until_complete(broker.connect())

    async def emit(payload: dict[str, Any]) -> None:
        await broker.publish(payload, exchange=_EXCHANGE, routing_key=_TOPIC, persist=True)

    return emit


def _broker(where: str) -> RabbitBroker:
    return RabbitBroker(where, logger=None, default_channel=Channel(prefetch_count=PREFETCH))
