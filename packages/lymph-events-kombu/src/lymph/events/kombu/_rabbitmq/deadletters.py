"""The dead letters at RabbitMQ: listed, replayed and dropped over channels of their own.

Every operation browses the whole queue and gives back what it took (see `browsing`). A quorum queue
puts what is given back at its end, so the queue has no lasting order; the ids give one, since they
begin with the time of death. What one process browses is invisible to others meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from heapq import nsmallest
from operator import attrgetter, itemgetter
from typing import Any

import amqp
import gevent

from lymph.config.printable import printable
from lymph.core.events import Event
from lymph.core.failures import ERROR_LENGTH
from lymph.core.greenlets import Greenlet
from lymph.events.deadletters import DeadLetter, DeadLetters, Settled
from lymph.events.kombu._connecting.errors import BrokerError, Unsendable
from lymph.events.kombu._connecting.times import seconds
from lymph.events.kombu._rabbitmq.browsing import QueueBrowser
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.messages import (
    ATTEMPTS,
    DIED,
    EMITTED,
    ERROR,
    QUEUE,
    again,
    attempt_of,
    event_of,
    header,
    number,
)
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.publisher import Publisher
from lymph.events.kombu._rabbitmq.topology import Topology

__all__ = ['RabbitmqDeadLetters']

# Events that are published at a time, and their bytes; a larger event is published alone. Both are
# well below the limits of a publisher (`_connecting.bounds`).
_AT_ONCE = 200
_BYTES = 16 << 20

_Letter = tuple[str, amqp.Message]


class RabbitmqDeadLetters(DeadLetters):
    """The dead letters of all queues of a system.

    Every method raises BrokerError when there is no connection within `timeout` seconds, and when
    the broker refuses a command. An id consists of the time of death and a hash of the queue and
    the message, so that it is the same each time.
    """

    def __init__(
        self, link: RabbitmqLink, topology: Topology, publisher: Publisher, timeout: float
    ) -> None:
        self._link = link
        self._names = topology.names
        self._publisher = publisher
        self._timeout = timeout

    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        """Return up to `limit` dead letters, of one queue or of all, the oldest first.

        `after` is the id of a dead letter: the answer begins with the next one. Reads all dead
        letters, whatever the limit.
        """
        later = (letter for letter in self.scan(queue) if after is None or letter.id > after)
        return nsmallest(limit, later, key=attrgetter('id'))

    def scan(self, queue: str | None = None) -> Generator[DeadLetter, None, None]:
        """Yield all dead letters, of one queue or of all, in no particular order.

        Other processes cannot see dead letters until the generator is closed.
        """
        with self._browse() as messages:
            for message in messages:
                letter = self._letter(message)
                if queue in (None, letter.queue):
                    yield letter

    def find(self, id: str) -> DeadLetter | None:
        """Return the dead letter with this id, or None. Reads all dead letters."""
        return self.find_all([id]).get(id)

    def find_all(self, ids: Iterable[str]) -> dict[str, DeadLetter]:
        """Return the dead letters that exist, by id. Reads all dead letters once."""
        wanted = set(ids)
        with self._browse() as messages:
            return {
                id: self._letter(message)
                for message in messages
                if (id := _id_of(message)) in wanted
            }

    def replay(self, *ids: str, settled: Settled = str) -> int:
        """Put dead letters back at the end of their queues, call `settled(id)`, return how many.

        Unknown ids are ignored, and dead letters whose queue is gone stay. Each one is removed
        after its event is confirmed, so an interruption can leave it in both places.
        """
        wanted, replayed = set(ids), 0
        with self._browse() as messages:
            found = [(id, message) for message in messages if (id := _id_of(message)) in wanted]
            found.sort(key=itemgetter(0))
            for some in _portions(found):
                for id, message in self._send_back_all(some):
                    messages.remove(message)
                    settled(id)
                    replayed += 1
        return replayed

    def drop(self, *ids: str, settled: Settled = str) -> int:
        """Delete dead letters, call `settled(id)` for each, and return how many there were."""
        wanted, dropped = set(ids), 0
        with self._browse() as messages:
            for message in messages:
                if (id := _id_of(message)) in wanted:
                    messages.remove(message)
                    settled(id)
                    dropped += 1
        return dropped

    def _send_back_all(self, letters: Sequence[_Letter]) -> Iterator[_Letter]:
        """Publish dead letters in this order, and yield those that are confirmed.

        The others have no queue any more. Raises the BrokerError of the first that failed.
        """
        publishing = [Greenlet.spawn(self._send_back, message) for _, message in letters]
        try:
            for letter, each in zip(letters, publishing, strict=True):
                outcome = each.get()
                if isinstance(outcome, BrokerError):
                    raise outcome
                if outcome:
                    yield letter
        finally:
            gevent.killall(publishing)

    def _send_back(self, message: amqp.Message) -> bool | BrokerError:
        """Publish to the event's queue; return whether it exists, or the error of the broker."""
        queue = self._names.queue(self._name_of(message))  # never a queue of another system
        publication = Publication(again(message, {}), '', queue, mandatory=True)
        try:
            self._publisher.publish(publication, self._timeout)
        except Unsendable:
            return False  # the name is too long for any queue
        except BrokerError as error:
            return False if publication.state == 'unroutable' else error
        return True

    @contextmanager
    def _browse(self) -> Iterator[QueueBrowser]:
        with (
            self._link.channel(self._timeout) as channel,
            QueueBrowser(channel, self._names.dead) as browser,
        ):
            yield browser

    def _name_of(self, message: amqp.Message) -> str:
        """Return the queue name of the subscription that gave the event up."""
        return self._names.name_of(_queue_of(message))

    def _letter(self, message: amqp.Message) -> DeadLetter:
        attempts = number(header(message, ATTEMPTS, int))
        if attempts is None:
            attempts = number(_of_death(message, 'count', int))
        return DeadLetter(
            id=_id_of(message),
            queue=self._name_of(message),
            event=_event_or_none(message),
            data=message.body,
            error=printable(header(message, ERROR, str) or _broker_says(message), ERROR_LENGTH),
            attempts=1 if attempts is None else attempts,
            emitted=seconds(header(message, EMITTED, float)),
            died=_died(message),
        )


def _portions(letters: Sequence[_Letter]) -> Iterator[Sequence[_Letter]]:
    some: list[_Letter] = []
    size = 0
    for letter in letters:
        size += len(letter[1].body)
        if some and (len(some) == _AT_ONCE or size > _BYTES):
            yield some
            some, size = [], len(letter[1].body)
        some.append(letter)
    if some:
        yield some


def _id_of(message: amqp.Message) -> str:
    id: str = message.properties.get('message_id', '')
    digest = blake2b(digest_size=8)
    for part in (_queue_of(message).encode(), id.encode(), message.body):
        digest.update(len(part).to_bytes(8, 'big') + part)
    microseconds = round(_died(message) * 1_000_000)
    return f'{microseconds:014x}-{digest.hexdigest()}'


def _queue_of(message: amqp.Message) -> str:
    """Return the name at the broker of the queue that gave the event up."""
    queue: str = (
        header(message, QUEUE, str)
        or _of_death(message, 'queue', str)
        or message.delivery_info['routing_key']
    )
    return queue


def _event_or_none(message: amqp.Message) -> Event | None:
    try:
        return event_of(message, attempt_of(message))
    except Exception:  # noqa: BLE001 - other programs may have published anything here
        return None


# Dead letters made by the broker. The first entry of their x-death header is the latest death.


def _of_death(message: amqp.Message, name: str, kind: type) -> Any:
    deaths = header(message, 'x-death', list) or [{}]
    value = deaths[0].get(name) if isinstance(deaths[0], dict) else None
    return value if isinstance(value, kind) else None


def _broker_says(message: amqp.Message) -> str:
    reason = _of_death(message, 'reason', str) or 'unknown'
    if reason == 'delivery_limit':
        return 'its consumers died or were cut off each time it was delivered'
    return f'given up by the broker: {reason}'


def _died(message: amqp.Message) -> float:
    died = seconds(header(message, DIED, float))
    if died is None:
        died = seconds(_of_death(message, 'time', int))
    return died or 0.0
