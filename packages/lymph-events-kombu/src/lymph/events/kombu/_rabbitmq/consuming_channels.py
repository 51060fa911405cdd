"""A channel that consumes one queue, and the deliveries that came over it.

A delivery tag means something on its own channel only. A delivery therefore keeps its channel and
is settled there or not at all: when the channel is gone, the broker delivers the event again.

What is acknowledged in one turn of the loop leaves at its end, and where everything before it is
acknowledged too as one acknowledgement of all: a quorum queue then writes once for all of them.

The broker sends nothing before `widen`. The prefetch of a consumer cannot be changed, so the first
event of the width is one consumer at the broker and the rest of it another: `lower` cancels the
rest, or both. While the width is 0, `fetch` takes single events.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import takewhile
from typing import Any

import gevent
from amqp import spec

from lymph.core.failures import log_failure
from lymph.core.greenlets import Greenlet
from lymph.events.kombu._connecting.errors import BROKEN
from lymph.events.kombu._rabbitmq.channels import AmqpChannel

__all__ = ['AmqpDelivery', 'ConsumingChannel']

logger = logging.getLogger(__name__)

_NO_HEARTBEAT = 10.0  # seconds for which an answer is good where nobody looks for silence


class ConsumingChannel:
    """Consumes `queue` over `channel`: `deliver` gets what comes and never waits.

    `cancelled` is called when the broker ends the consumer.
    """

    def __init__(
        self,
        channel: AmqpChannel,
        queue: str,
        deliver: Callable[[AmqpDelivery], object],
        cancelled: Callable[[], object],
    ) -> None:
        self.channel = channel
        self._width = 0
        self._queue = queue
        self._deliver = deliver
        self._cancelled = cancelled
        self._tags: list[str] = []  # of the consumers at the broker, two at most
        self._closing = False
        self._fetching = False
        # tags of deliveries in their order; true: acknowledged in this turn
        self._unsettled: dict[int, bool] = {}
        self._acknowledged: list[int] = []

    @property
    def consuming(self) -> bool:
        """Whether the broker sends events by itself."""
        return bool(self._tags)

    def widen(self, width: int) -> None:
        """Have up to `width` events under way, or more if that was asked for before. Waits."""
        if width > 0 and not self._tags:
            self._width = 1
            self._consume(1)
        more = width - self._width
        if self._tags and more > 0:
            self._width = width
            self._consume(more)

    def lower(self, width: int) -> None:
        """Have one event at a time sent from now on, or (0) none. Never waits.

        A width of more than 1 changes nothing.
        """
        while len(self._tags) > width:
            self._cancel(self._tags.pop())
        if width <= 1:
            self._width = min(self._width, width)

    def fetch(self) -> AmqpDelivery | None:
        """Take one event out of the queue; None: there is none. Waits; one greenlet at a time."""
        self._fetching = True
        try:
            message = self.channel.basic_get(self._queue)
            if message is None:
                return None
            self._unsettled[message.delivery_tag] = False
            self._unsettled = dict(sorted(self._unsettled.items()))
        finally:
            self._fetching = False
        return AmqpDelivery(self, message)

    def waiting(self) -> int:
        """Return how many events wait in the queue. Waits for the broker."""
        count: int = self.channel.queue_declare(self._queue, passive=True).message_count
        return count

    def close_when_settled(self) -> None:
        """Close the channel as soon as nothing is to be settled over it. Never waits."""
        self._closing = True
        self._flush()

    def close(self) -> None:
        """Close the channel at once; what is not settled goes back to its place. Never waits."""
        self._flush()
        if self.channel.usable:
            self.channel.on_closed = None
            Greenlet.spawn(_close, self.channel)

    def confirm(self) -> bool:
        """Tell whether what came over the channel is still ours. Waits for the broker's word."""
        asked = time.monotonic()
        try:
            self.channel.basic_qos(0, 1, False)  # anything that is answered
            lasting = self.channel.connection.heartbeat or _NO_HEARTBEAT
        except (*BROKEN, AttributeError):  # py-amqp forgets the connection of a closed channel
            return False
        return time.monotonic() - asked < lasting

    def acknowledge(self, tag: int) -> None:
        """Have the broker forget a delivery, at the end of this turn of the loop. Never waits."""
        self._unsettled[tag] = True
        self._acknowledged.append(tag)
        if len(self._acknowledged) == 1:
            gevent.get_hub().loop.run_callback(self._flush)

    def give_back(self, tag: int) -> None:
        """Have the broker deliver an event again, to whomever. Never waits."""
        del self._unsettled[tag]
        if self.channel.usable:
            with suppress(*BROKEN):
                self.channel.basic_reject(tag, True)
        self._close_if_done()

    def _flush(self) -> None:
        acknowledged, self._acknowledged = self._acknowledged, []
        if acknowledged and self.channel.usable:
            try:
                self._send(acknowledged)
            except Exception as error:  # noqa: BLE001 - the broker waits for what was not said
                if not isinstance(error, BROKEN):
                    log_failure(logger, error, '%s: cannot acknowledge events', self._queue)
                self.channel.fail(error)
        for tag in acknowledged:
            del self._unsettled[tag]
        self._close_if_done()

    def _send(self, acknowledged: list[int]) -> None:
        # what is being fetched has a tag that is not noted yet
        known = () if self._fetching else self._unsettled
        before = list(takewhile(self._unsettled.__getitem__, known))
        if before:
            self.channel.acknowledge(before[-1], multiple=len(before) > 1)
        if len(before) < len(acknowledged):
            last = before[-1] if before else 0
            for tag in acknowledged:
                if tag > last:
                    self.channel.acknowledge(tag)

    def _consume(self, prefetch: int) -> None:
        tag = f'{self._queue[:200]}.{secrets.token_hex(4)}'
        self._tags.append(tag)
        # registered before, because deliveries may come before the reply is seen
        self.channel.callbacks[tag] = self._receive
        self.channel.basic_qos(0, prefetch, False)
        if tag in self._tags:  # not cancelled meanwhile
            self.channel.basic_consume(
                self._queue, consumer_tag=tag, callback=self._receive, on_cancel=self._ended
            )

    def _cancel(self, tag: str) -> None:
        if self.channel.usable:
            with suppress(*BROKEN):
                # answered, so that py-amqp forgets the tag; nobody waits for the answer
                self.channel.send_method(spec.Basic.Cancel, 'sb', (tag, False))

    def _receive(self, message: Any) -> None:
        self._unsettled[message.delivery_tag] = False
        self._deliver(AmqpDelivery(self, message))

    def _ended(self, tag: str) -> None:
        self._cancelled()

    def _close_if_done(self) -> None:
        if self._closing and not self._unsettled and self.channel.usable:
            self.channel.on_closed = None
            Greenlet.spawn(_close, self.channel)


class AmqpDelivery:
    """An event that was delivered and has to be settled, once."""

    __slots__ = ('_channel', 'message', 'returns')

    def __init__(self, channel: ConsumingChannel, message: Any) -> None:
        self.message = message
        self.returns = 0  # earlier deliveries that were given back unbegun; see `returns`
        self._channel: ConsumingChannel | None = channel

    @property
    def live(self) -> bool:
        """Whether it can still be settled."""
        return self._channel is not None and self._channel.channel.usable

    def confirm(self) -> bool:
        """Tell whether it is still ours to handle. Waits for the broker's word."""
        return self._channel is not None and self._channel.confirm()

    def acknowledge(self) -> None:
        """Tell the broker to forget the event. Never waits."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.acknowledge(self.message.delivery_tag)

    def give_back(self) -> None:
        """Tell the broker to deliver the event again, to whomever. Never waits."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.give_back(self.message.delivery_tag)


def _close(channel: AmqpChannel) -> None:
    with suppress(*BROKEN):
        channel.close()
