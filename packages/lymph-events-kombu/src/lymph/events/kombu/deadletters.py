"""The dead letters, read and sorted out over a channel of their own.

AMQP cannot look into a queue: what is read is taken, and given back afterwards, in quorum queues to
the end. So every look goes through the whole queue, and the ids give the order: they begin with
the time of death. While somebody looks, others do not see what he holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from hashlib import blake2b
from heapq import nsmallest
from operator import attrgetter
from typing import Any

import amqp
from amqp import spec

from lymph.core.events import Event
from lymph.events.deadletters import DeadLetter, DeadLetters
from lymph.events.kombu.channels import Channel
from lymph.events.kombu.errors import BROKEN, BrokerError, explain
from lymph.events.kombu.links import Link
from lymph.events.kombu.messages import (
    ATTEMPTS,
    DIED,
    EMITTED,
    ERROR,
    QUEUE,
    again,
    event_of,
    header,
)
from lymph.events.kombu.publisher import Publication, Publisher
from lymph.events.kombu.topology import Topology
from lymph.exceptions import SerializationError

__all__ = ['KombuDeadLetters']


class KombuDeadLetters(DeadLetters):
    """The dead letters of all queues; every method raises BrokerError when there is no broker.

    An id is made from the time, the queue and the message, so that it is the same at each look.
    """

    def __init__(
        self, link: Link, topology: Topology, publisher: Publisher, timeout: float
    ) -> None:
        self._link = link
        self._topology = topology
        self._publisher = publisher
        self._timeout = timeout

    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        with self._channel() as channel:
            letters = (
                letter
                for letter in map(_letter, self._all(channel))
                if queue in (None, letter.queue) and (after is None or letter.id > after)
            )
            return nsmallest(limit, letters, key=attrgetter('id'))

    def find(self, id: str) -> DeadLetter | None:
        with self._channel() as channel:
            letters = map(_letter, self._all(channel))
            return next((letter for letter in letters if letter.id == id), None)

    def replay(self, *ids: str) -> int:
        return self._take(ids, self._send_back)

    def drop(self, *ids: str) -> int:
        return self._take(ids, lambda message: True)

    def _take(self, ids: tuple[str, ...], settle: Callable[[Any], bool]) -> int:
        wanted, taken = set(ids), 0
        with self._channel() as channel:
            found = [message for message in self._all(channel) if _id_of(message) in wanted]
            for message in sorted(found, key=_id_of):
                if settle(message):
                    channel.basic_ack(message.delivery_tag)
                    taken += 1
        return taken

    def _send_back(self, message: amqp.Message) -> bool:
        """Put the event into its queue; returns whether there is such a queue."""
        publication = Publication(again(message, {}), '', _queue_of(message), mandatory=True)
        try:
            self._publisher.publish(publication, self._timeout)
        except BrokerError:
            if publication.returned:
                return False
            raise
        return True

    @contextmanager
    def _channel(self) -> Iterator[Channel]:
        connection = self._link.connection
        if connection is None:
            raise BrokerError(f'cannot reach the dead letters: {self._link.trouble}')
        try:
            channel: Channel = connection.channel()
            try:
                yield channel
            finally:
                with suppress(*BROKEN):
                    _give_back_all(channel)
                    channel.close()
        except BROKEN as error:
            raise BrokerError(f'{self._link.broker}: {explain(error)}') from error

    def _all(self, channel: Channel) -> Iterator[amqp.Message]:
        while (message := channel.basic_get(self._topology.dead)) is not None:
            yield message


def _give_back_all(channel: Channel) -> None:
    # closing the channel would do it too, but some time after it is closed
    every, multiple, requeue = 0, True, True
    channel.send_method(spec.Basic.Nack, 'Lbb', (every, multiple, requeue))


def _letter(message: amqp.Message) -> DeadLetter:
    return DeadLetter(
        id=_id_of(message),
        queue=_queue_of(message),
        event=_event_or_none(message),
        data=message.body,
        error=header(message, ERROR, str) or _broker_says(message),
        attempts=header(message, ATTEMPTS, int) or _death(message).get('count', 1),
        emitted=header(message, EMITTED, float),
        died=_died(message),
    )


def _id_of(message: amqp.Message) -> str:
    id = str(message.properties.get('message_id', ''))
    digest = blake2b(digest_size=8)
    for part in (_queue_of(message).encode(), id.encode(), message.body):
        digest.update(len(part).to_bytes(8, 'big') + part)
    microseconds = round(_died(message) * 1_000_000)
    return f'{microseconds:014x}-{digest.hexdigest()}'


def _queue_of(message: amqp.Message) -> str:
    queue = header(message, QUEUE, str) or _death(message).get('queue')
    return str(queue or message.delivery_info['routing_key'])


def _event_or_none(message: amqp.Message) -> Event | None:
    try:
        return event_of(message)
    except SerializationError:
        return None


# Dead letters that the broker has made: the last entry of x-death comes first.


def _death(message: amqp.Message) -> dict[str, Any]:
    deaths = header(message, 'x-death', list) or [{}]
    return deaths[0] if isinstance(deaths[0], dict) else {}


def _broker_says(message: amqp.Message) -> str:
    reason = _death(message).get('reason', 'unknown')
    if reason == 'delivery_limit':
        return 'its consumers died or were cut off each time it was delivered'
    return f'given up by the broker: {reason}'


def _died(message: amqp.Message) -> float:
    died: float | None = header(message, DIED, float)
    if died is not None:
        return died
    time = _death(message).get('time')
    # py-amqp reads times as naive UTC
    return time.replace(tzinfo=timezone.utc).timestamp() if isinstance(time, datetime) else 0.0
