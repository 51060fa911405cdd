"""Publishing to RabbitMQ with confirms, many events under way at once.

An `Outbox` decides which publication is sent when, and how it ends. This module has the channel,
the clock and the waiting greenlets. Each caller of `publish` waits for its own confirm only, and
the publications of one turn of the loop are written together. While there is no connection, or the
broker blocks publishers, publications stay queued. Those that were sent over a lost connection are
sent again in the same order, and may arrive twice with the same id.

Only `publish`, `prepare` and `stop` wait. One timer serves all waiting greenlets.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import amqp
from amqp.exceptions import NotFound

from lymph.core._loop.deadlines import Expirations
from lymph.core.greenlets import Greenlet
from lymph.events.kombu._connecting.bounds import Bounds
from lymph.events.kombu._connecting.errors import BROKEN, BrokerError, Unsendable, explain
from lymph.events.kombu._rabbitmq.channels import AmqpChannel, AmqpConnection
from lymph.events.kombu._rabbitmq.outbox import Outbox, PublicationState
from lymph.events.kombu._rabbitmq.publications import Publication

__all__ = ['Publisher']

logger = logging.getLogger(__name__)

_FAILED: dict[PublicationState, str] = {
    'unroutable': 'no queue took it: {}',
    'rejected': 'refused: {}',
    'unsendable': 'cannot be sent: {}',
    'stopped': 'the event system was stopped',
}


class _Trouble(Protocol):
    """The part of a link that a publisher uses."""

    trouble: str  # why there is no connection


class Publisher:
    """Publishes over its own channel of the present connection.

    `declare(channel)` is called with each new channel and may wait. `restore()` is called when a
    channel ended because an exchange was missing, before the next one is opened, and may wait.
    """

    def __init__(
        self,
        link: _Trouble,
        declare: Callable[[AmqpChannel], object],
        restore: Callable[[], object],
    ) -> None:
        self._link = link
        self._declare = declare
        self._restore = restore
        self._outbox: Outbox[Publication] = Outbox()
        self._connection: AmqpConnection | None = None
        self._channel: AmqpChannel | None = None
        self._reopening: Greenlet | None = None
        self._expirations = Expirations()

    def publish(self, publication: Publication, timeout: float) -> None:
        """Publish a message; return when the broker has confirmed it.

        Raises Unsendable for a message that cannot be encoded. Raises BrokerError when too much
        waits already (see `Bounds`), when the broker rejects the message or returns it, when the
        publisher is stopped, and when there is no confirm within `timeout` seconds.
        """
        outbox = self._outbox
        if not outbox.offer(publication):
            raise Bounds.overflow(outbox.waiting, outbox.waiting_bytes, self._obstacle())
        started = time.monotonic()
        ticket = self._expirations.add(publication, started + timeout)
        try:
            self._pump()
            publication.wait()
        finally:
            self._expirations.discard(publication, ticket)
            outbox.expired(publication)
        if publication.state != 'confirmed':
            raise self._error(publication, time.monotonic() - started)

    def prepare(self, connection: AmqpConnection) -> None:
        """Publish over this connection from now on. Waits for the channel.

        Raises OSError or AMQPError when the channel cannot be opened.
        """
        connection.when_unblocked.append(self._pump)
        self._open(connection)

    def down(self) -> None:
        """Handle the loss of the connection: keep publications for the next one. Never waits."""
        self._connection = None
        self._lose_channel()

    def stop(self) -> None:
        """End all publications that are under way; their `publish` raises BrokerError."""
        self.down()
        if self._reopening is not None:
            self._reopening.kill()
        for publication in self._outbox.end_all():
            publication.wake()
        self._expirations.close()

    def expire(self) -> None:
        """Handle what is due in the outbox, in a greenlet. Called in the hub by the timer."""
        Greenlet.spawn(self._tick)

    # From the outbox to the channel.

    def _pump(self) -> None:
        """Send the publications that the outbox allows now."""
        connection, channel, outbox = self._connection, self._channel, self._outbox
        if connection is None or channel is None or connection.blocked:
            return
        while channel is self._channel and (publication := outbox.next()) is not None:
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
                    return  # it is sent over the next channel
                if not isinstance(error, ValueError):
                    logger.exception('cannot send a message')
                outbox.unsendable(publication, explain(error))
                publication.wake()
                continue
            outbox.sent(publication)
            try:
                channel.send(frames)
            except Exception as error:  # noqa: BLE001 - logged there
                # if the broker did not receive it, its delivery tags differ from ours from now on
                self._give_up_on(connection, error)
                return

    def _go_on(self) -> None:
        """Act on an answer of the broker, or on time that has passed."""
        if self._outbox.channel == 'drained':
            self._replace_channel()
        else:
            self._pump()

    def _tick(self) -> None:
        self._outbox.tick(time.monotonic())
        self._go_on()
        self._set_timer()

    def _set_timer(self) -> None:
        """Schedule the call of `expire` for what is due next; repeated calls are harmless."""
        due = self._outbox.due
        if due is not None:
            self._expirations.add(self, due)

    # The broker's answers.

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for publication in self._outbox.acked(tag, multiple):
            publication.wake()
        self._go_on()

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._outbox.nacked(tag, multiple, time.monotonic())
        self._go_on()
        self._set_timer()

    def _on_return(self, error: Any, exchange: str, key: str, message: amqp.Message) -> None:
        id = message.properties.get('message_id')
        self._outbox.returned(lambda each: each.is_returned(exchange, key, id), explain(error))

    # The channel.

    def _open(self, connection: AmqpConnection) -> None:
        channel: AmqpChannel = connection.channel()
        self._declare(channel)
        for event, listener in self._listeners():
            channel.events[event].add(listener)
        channel.confirm_select()
        channel.on_closed = self._on_closed
        self._connection, self._channel = connection, channel
        self._outbox.channel_opened()
        self._pump()

    def _listeners(self) -> list[tuple[str, Callable[..., None]]]:
        return [
            ('basic_ack', self._on_ack),
            ('basic_nack', self._on_nack),
            ('basic_return', self._on_return),
        ]

    def _lose_channel(self, offence: str | None = None) -> None:
        self._channel = None
        for publication in self._outbox.channel_lost(offence):
            publication.wake()

    def _on_closed(self, error: Exception) -> None:
        """Handle the end of the channel: the broker closed it, or the connection is lost."""
        connection = self._connection
        if connection is None or not connection.connected:
            self._lose_channel()  # `down` comes next
            return
        logger.warning('the broker closed the channel for publishing: %s', explain(error))
        self._lose_channel(explain(error))
        restore = isinstance(error, NotFound)
        self._reopening = Greenlet.spawn(self._reopen, connection, restore=restore)

    def _replace_channel(self) -> None:
        """Replace a channel over which the broker keeps refusing events."""
        connection, channel = self._connection, self._channel
        if connection is None or channel is None:
            return
        logger.info('the broker refuses events; publishing over another channel')
        channel.on_closed = None
        for event, listener in self._listeners():
            channel.events[event].discard(listener)
        self._lose_channel()
        self._reopening = Greenlet.spawn(self._reopen, connection, worn=channel)

    def _reopen(
        self, connection: AmqpConnection, worn: AmqpChannel | None = None, restore: bool = False
    ) -> None:
        """Open another channel of the connection, unless it was replaced meanwhile."""
        try:
            if worn is not None:
                with suppress(*BROKEN):
                    worn.close()
            if restore:
                self._restore()
            if connection is self._connection:
                self._open(connection)
        except Exception as error:  # noqa: BLE001 - logged there
            self._give_up_on(connection, error)

    def _give_up_on(self, connection: AmqpConnection, error: Exception) -> None:
        """End the connection, so that the link makes a new one, whatever the error is."""
        if not isinstance(error, BROKEN):
            logger.exception('cannot publish over this connection any more')
        connection.fail(error)

    # Errors.

    def _error(self, publication: Publication, waited: float) -> BrokerError:
        text = _FAILED.get(publication.state)
        if text is None:
            facts = f'{publication.history}, {self._obstacle(publication.times_refused)}'
            return BrokerError(f'not confirmed within {waited:.1f} s: {facts}')
        unsendable = publication.state == 'unsendable'
        kind = Unsendable if unsendable else BrokerError
        return kind(f'{text.format(publication.reason)} (after {waited:.1f} s)')

    def _obstacle(self, refused: int = 0) -> str:
        if self._connection is None:
            return f'no connection: {self._link.trouble}'
        if self._connection.blocked:
            return 'the broker takes no events now (an alarm for memory or disk space)'
        if refused:
            return 'a queue is full, or the servers that hold it are not there'
        return 'the broker does not answer'
