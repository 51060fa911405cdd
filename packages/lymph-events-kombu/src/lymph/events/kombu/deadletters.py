"""The dead letters, read and sorted out over a channel of their own.

AMQP cannot look into a queue: what is read is taken, and goes back to its place when the channel is
closed without an acknowledgement. While somebody reads, others do not see what he holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timezone
from hashlib import blake2b
from itertools import islice
from typing import Any

import amqp

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

    An id is made from the queue and the message, so that copies of one dead letter share it.
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
            letters = map(_letter, self._all(channel))
            if after is not None:
                next((letter for letter in letters if letter.id == after), None)
            of_queue = (letter for letter in letters if queue in (None, letter.queue))
            return list(islice(of_queue, limit))

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
            for message in self._all(channel):
                if _letter(message).id in wanted and settle(message):
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
                    channel.close()
        except BROKEN as error:
            raise BrokerError(f'{self._link.broker}: {explain(error)}') from error

    def _all(self, channel: Channel) -> Iterator[amqp.Message]:
        # no more than there are now: what goes back meanwhile must not be seen twice
        queue = self._topology.dead_letter_queue
        count = channel.queue_declare(queue.name, passive=True).message_count
        for _ in range(count):
            message = channel.basic_get(queue.name)
            if message is None:
                return
            yield message


def _letter(message: amqp.Message) -> DeadLetter:
    return DeadLetter(
        id=_id_of(message),
        queue=_queue_of(message),
        event=_event_or_none(message),
        data=message.body,
        error=header(message, ERROR, str) or _broker_says(message),
        attempts=header(message, ATTEMPTS, int) or _death(message).get('count', 1),
        emitted=header(message, EMITTED, float),
        died=header(message, DIED, float) or _died(message),
    )


def _id_of(message: amqp.Message) -> str:
    id = str(message.properties.get('message_id', ''))
    parts = (_queue_of(message).encode(), id.encode(), message.body)
    digest = blake2b(digest_size=12)
    for part in parts:
        digest.update(len(part).to_bytes(8, 'big') + part)
    return digest.hexdigest()


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
    time = _death(message).get('time')
    # py-amqp reads times as naive UTC
    return 0.0 if time is None else float(time.replace(tzinfo=timezone.utc).timestamp())
