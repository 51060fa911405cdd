"""Publishing with confirms, many events under way at once.

A publication is queued, then sent, then settled: by the broker's confirm, its refusal, or the end
of its emitter's patience. Rules:

- Whoever publishes waits for its own confirm only. What greenlets publish in one turn of the loop
  is written together.
- At most `_WINDOW` publications are sent and not settled. The rest is queued, and what is queued
  is bounded too: beyond that `publish` fails at once.
- While there is no connection, or the broker blocks publishers, publications stay queued. What was
  sent and not confirmed when the connection broke is sent again, in the same order; it may then
  arrive twice, with the same id.
- What the broker refuses (basic.nack) is sent again after a pause, for as long as its emitter
  waits. RabbitMQ 3.10 goes on refusing over a channel whose first publication to a queue came while
  that queue had no leader. So after a second refusal the channel is made anew, once everything that
  was sent over it is settled or a moment later.
- Nothing is noted of a publication before its frames are made: one that has none fails alone, and
  the numbers that the broker gives to the others stay ours.
- When the broker closes the channel, one of the publications offended it, and nothing says which.
  Those that were under way are sent again one at a time; whoever ends the channel alone has failed.

Nothing here waits but `publish` and `prepare`. Who publishes is woken from the hub, by a switch;
one timer serves the patience of all.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Protocol

import amqp
import gevent
from amqp.exceptions import NotFound
from gevent.event import Event

from lymph.core._loop.deadlines import Expirations
from lymph.core.greenlets import Greenlet
from lymph.events.kombu._connecting.errors import BROKEN, BrokerError, Unsendable, explain
from lymph.events.kombu._rabbitmq.channels import Channel, Connection
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.refusals import Refusals

__all__ = ['Publisher']

logger = logging.getLogger(__name__)

_WINDOW = 1000  # publications sent and not confirmed
_WINDOW_BYTES = 8 << 20
_QUEUED = 10_000  # publications waiting to be sent
_QUEUED_BYTES = 64 << 20
_RENEWALS = 2.0  # seconds from one new channel after refusals to the next
_LEFTOVERS = 1.0  # seconds for what was sent to be settled before the channel is given up


class _Where(Protocol):
    """What a publisher has to know of its link."""

    trouble: str


class Publisher:
    """Publishes on a channel of its own; `declare` is called with each new channel.

    `restore` is called, and may wait, before it goes on when its exchange was not there.
    """

    def __init__(
        self,
        link: _Where,
        declare: Callable[[Channel], object],
        restore: Callable[[], object] = bool,
    ) -> None:
        self._link = link
        self._declare = declare
        self._restore = restore
        self._channel: Channel | None = None
        self._connection: Connection | None = None
        self._sequence = 0
        self._queued: OrderedDict[Publication, None] = OrderedDict()
        self._sent: dict[int, Publication] = {}
        self._queued_bytes = 0
        self._sent_bytes = 0
        self._suspects = 0
        self._reopening: Greenlet | None = None
        self._refusals: Refusals[Publication] = Refusals(self._send_again)
        self._renewing: Greenlet | None = None
        self._settled: Event | None = None  # while a channel is given up: all is settled
        self._expirations = Expirations()

    def publish(self, publication: Publication, timeout: float) -> None:
        """Return when the broker has confirmed; raises BrokerError after `timeout` seconds."""
        waiting = len(self._queued) + len(self._refusals)
        if waiting >= _QUEUED or self._queued_bytes + publication.size > max(
            _QUEUED_BYTES, publication.size
        ):
            raise BrokerError(
                f'{waiting} events with {self._queued_bytes} bytes are waiting already: '
                f'{self._obstacle()}'
            )
        started = time.monotonic()
        ticket = self._expirations.add(publication, started + timeout)
        try:
            self._enqueue(publication)
            self._pump()
            publication.wait()
            ready = publication.settled
        finally:
            self._expirations.discard(publication, ticket)
            if not publication.settled:
                self._give_up(publication)
        waited = time.monotonic() - started
        if not ready:
            raise BrokerError(f'not confirmed within {waited:.1f} s: {self._history(publication)}')
        error = publication.error
        if error is not None:
            raise type(error)(f'{error} (after {waited:.1f} s)')

    # What the link tells.

    def prepare(self, connection: Connection) -> None:
        """Publish over this connection from now on."""
        connection.when_unblocked.append(self._pump)
        self._open(connection)

    def down(self) -> None:
        """Wait for the next connection."""
        self._channel = self._connection = None
        self._resend()

    def stop(self) -> None:
        """Fail what is under way."""
        self.down()
        for at_work in (self._reopening, self._renewing):
            if at_work is not None:
                at_work.kill()
        for publication in self._queued:
            publication.settle(BrokerError('the event system was stopped'))
        self._queued.clear()
        self._queued_bytes = 0
        self._expirations.close()

    # The channel.

    def _open(self, connection: Connection) -> None:
        channel: Channel = connection.channel()
        self._declare(channel)
        channel.events['basic_ack'].add(self._on_ack)
        channel.events['basic_nack'].add(self._on_nack)
        channel.events['basic_return'].add(self._on_return)
        channel.confirm_select()
        channel.on_closed = self._on_closed
        self._sequence = 0
        self._connection, self._channel = connection, channel
        self._pump()

    def _on_closed(self, error: Exception) -> None:
        """The broker closed the channel, or the connection is gone."""
        self._channel = None
        connection = self._connection
        if connection is None or not connection.connected:
            return  # `down` comes next
        logger.warning('the broker closed the channel for publishing: %s', explain(error))
        under_way = [each for each in self._sent.values() if not each.settled]
        if len(under_way) == 1 and under_way[0].suspect:
            self._settle(under_way[0], BrokerError(f'refused: {explain(error)}'))
        for publication in under_way:
            if not publication.settled and not publication.suspect:
                publication.suspect = True
                self._suspects += 1
        self._resend()
        self._reopening = Greenlet.spawn(self._reopen, connection, isinstance(error, NotFound))

    def _reopen(self, connection: Connection, missing: bool = False) -> None:
        try:
            if missing:
                self._restore()
            self._open(connection)
        except Exception as error:  # noqa: BLE001 - logged there
            self._give_up_on(connection, error)

    def _give_up_on(self, way: Channel | Connection, error: Exception) -> None:
        """Ask for a new connection, which is the way out whatever the error is."""
        if not isinstance(error, BROKEN):
            logger.exception('cannot publish over this connection any more')
        way.fail(error)

    def _renew(self) -> None:
        """Give up a channel over which the broker refuses."""
        connection, channel = self._connection, self._channel
        try:
            if connection is None or channel is None:
                return
            self._settled = Event()
            if self._sent:
                self._settled.wait(_LEFTOVERS)
            self._settled = None
            if channel is self._channel:
                self._part_from(channel)
                self._reopen(connection)
            else:
                self._pump()  # what the channel that came meanwhile was not yet given
            gevent.sleep(_RENEWALS)
        except Exception as error:  # noqa: BLE001 - logged there
            if connection is not None:
                self._give_up_on(connection, error)
        finally:
            self._renewing = self._settled = None

    def _part_from(self, channel: Channel) -> None:
        logger.info('the broker refuses events; publishing over another channel')
        self._channel = None
        channel.on_closed = None
        channel.events['basic_ack'].discard(self._on_ack)
        channel.events['basic_nack'].discard(self._on_nack)
        self._resend()
        with suppress(*BROKEN):
            channel.close()

    # From the queue to the channel.

    def _enqueue(self, publication: Publication) -> None:
        self._queued[publication] = None
        self._queued_bytes += publication.size

    def _unqueue(self, publication: Publication) -> None:
        del self._queued[publication]
        self._queued_bytes -= publication.size

    def _resend(self) -> None:
        """Put what was sent and not confirmed back to the front of the queue."""
        for publication in reversed(self._sent.values()):
            if not publication.settled:
                self._enqueue(publication)
                self._queued.move_to_end(publication, last=False)
        self._sent.clear()
        self._sent_bytes = 0
        self._refusals.release()

    def _send_again(self, publications: Sequence[Publication]) -> None:
        """Put what was refused to the front of the queue."""
        for publication in reversed(publications):
            self._queued[publication] = None
            self._queued.move_to_end(publication, last=False)
        self._pump()

    def _pump(self) -> None:
        """Send what may be sent."""
        while self._queued and (channel := self._channel) is not None and self._room():
            publication = next(iter(self._queued))
            try:
                frames = channel.publication(
                    publication.message,
                    publication.exchange,
                    publication.routing_key,
                    publication.mandatory,
                )
                if publication.before is not None:
                    publication.before(channel)
            except Exception as error:
                if not channel.usable:
                    return  # it goes over the next one
                if not isinstance(error, ValueError):
                    logger.exception('cannot send a message')
                self._unqueue(publication)
                self._settle(publication, Unsendable(f'cannot be sent: {explain(error)}'))
                continue
            self._unqueue(publication)
            self._note(publication)
            try:
                channel.send(frames)
            except Exception as error:  # noqa: BLE001 - logged there
                # it is sent again with the rest, since the broker's numbers are not ours any more
                self._give_up_on(channel, error)
                return

    def _room(self) -> bool:
        if self._connection is None or self._connection.blocked or self._settled is not None:
            return False
        if self._suspects:
            return not self._sent
        return len(self._sent) < _WINDOW and self._sent_bytes < _WINDOW_BYTES

    def _note(self, publication: Publication) -> None:
        """Expect the broker's answer to what is sent next."""
        self._sequence += 1
        self._sent[self._sequence] = publication
        self._sent_bytes += publication.size
        publication.sent += 1
        publication.returned = None

    # Outcomes.

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for publication in self._take(tag, multiple):
            if publication.refused:
                self._refusals.over()
            returned = publication.returned
            error = BrokerError(f'no queue took it: {returned}') if returned else None
            self._settle(publication, error)
        self._pump()

    def _on_nack(self, tag: int, multiple: bool) -> None:
        for publication in self._take(tag, multiple):
            if publication.settled:
                continue
            publication.refused += 1
            self._queued_bytes += publication.size
            self._refusals.add(publication)
            if publication.refused > 1 and self._renewing is None:
                self._renewing = Greenlet.spawn(self._renew)
        self._pump()

    def _on_return(self, error: Any, exchange: str, key: str, message: amqp.Message) -> None:
        # comes before the confirm of the same publication
        id = message.properties.get('message_id')
        for publication in self._sent.values():
            sent_as = publication.exchange, publication.routing_key
            same = publication.message.properties.get('message_id') == id
            if same and sent_as == (exchange, key) and publication.mandatory:
                publication.returned = explain(error)

    def _take(self, tag: int, multiple: bool) -> list[Publication]:
        if multiple:
            tags = list(takewhile(lambda each: each <= tag, self._sent))
        else:
            tags = [tag] if tag in self._sent else []
        taken = [self._sent.pop(each) for each in tags]
        self._sent_bytes -= sum(each.size for each in taken)
        if self._settled is not None and not self._sent:
            self._settled.set()
        return taken

    def _settle(self, publication: Publication, error: BrokerError | None) -> None:
        if publication.suspect:
            publication.suspect = False
            self._suspects -= 1
        if not publication.settled:
            publication.settle(error)

    def _give_up(self, publication: Publication) -> None:
        """Nobody waits any more; what was sent keeps its place until its confirm comes."""
        if publication in self._queued:
            self._unqueue(publication)
        elif self._refusals.discard(publication):
            self._queued_bytes -= publication.size
        self._settle(publication, BrokerError('given up'))

    def _history(self, publication: Publication) -> str:
        times = {0: 'never sent', 1: 'sent once'}.get(
            publication.sent, f'sent {publication.sent} times'
        )
        if publication.refused:
            times += f', refused {publication.refused} times (basic.nack)'
        return f'{times}, {self._obstacle(publication.refused)}'

    def _obstacle(self, refused: int = 0) -> str:
        if self._connection is None:
            return f'no connection: {self._link.trouble}'
        if self._connection.blocked:
            return 'the broker takes no events now (an alarm for memory or disk space)'
        if refused:
            return 'a queue is full, or the servers that hold it are not there'
        return 'the broker does not answer'
