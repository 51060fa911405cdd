"""A channel that consumes one queue, and the deliveries that arrive over it.

A delivery tag is valid on its own channel only. So a delivery keeps its channel and is settled
there or not at all: when the channel is gone, the broker delivers the event again.

Acknowledgements of one turn of the loop are sent at its end. Those before which no delivery is
unsettled are sent as a single one with `multiple`, for which a quorum queue writes once.

The broker sends nothing before `widen`. The prefetch of a consumer cannot be changed. So there are
up to two consumers at the broker, one for the first event of the width and one for the rest:
`lower` cancels the second, or both. While the width is 0, `fetch` takes single events.
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

_NO_HEARTBEAT = 10.0  # seconds for which an answer counts if heartbeats are off


class ConsumingChannel:
    """Consumes `queue` over `channel`.

    `deliver(delivery)` is called for each event and must not wait. `cancelled()` is called when the
    broker ends the consumer.
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
        self._tags: list[str] = []  # of the consumers at the broker, at most two
        self._closing = False
        self._fetching = False
        # delivery tags in their order; True: acknowledged in this turn of the loop
        self._unsettled: dict[int, bool] = {}
        self._acknowledged: list[int] = []

    @property
    def consuming(self) -> bool:
        """Whether there is a consumer at the broker, so that it sends events by itself."""
        return bool(self._tags)

    def widen(self, width: int) -> None:
        """Let the broker send up to `width` events ahead, but not fewer than before.

        Waits for the broker. Raises OSError or AMQPError when the channel or the connection ends.
        """
        if width > 0 and not self._tags:
            self._width = 1
            self._consume(1)
        more = width - self._width
        if self._tags and more > 0:
            self._width = width
            self._consume(more)

    def lower(self, width: int) -> None:
        """Let the broker send one event at a time, or none with a `width` of 0. Never waits.

        A width of more than 1 changes nothing.
        """
        while len(self._tags) > width:
            self._cancel(self._tags.pop())
        if width <= 1:
            self._width = min(self._width, width)

    def fetch(self) -> AmqpDelivery | None:
        """Take one event out of the queue, or return None if it is empty.

        Waits for the broker; only one greenlet may call this at a time. Raises OSError, AMQPError
        or AttributeError when the channel or the connection ends.
        """
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
        """Return how many events wait in the queue. Waits for the broker; raises as `fetch`."""
        count: int = self.channel.queue_declare(self._queue, passive=True).message_count
        return count

    def close_when_settled(self) -> None:
        """Close the channel as soon as all its deliveries are settled. Never waits."""
        self._closing = True
        self._flush()

    def close(self) -> None:
        """Close the channel now; unsettled events go back to their places. Never waits."""
        self._flush()
        if self.channel.usable:
            self.channel.on_closed = None
            Greenlet.spawn(_close, self.channel)

    def confirm(self) -> bool:
        """Return whether the broker still counts deliveries over this channel as ours.

        Waits for an answer of the broker, which has to come within a heartbeat interval.
        """
        asked = time.monotonic()
        try:
            self.channel.basic_qos(0, 1, False)  # any method with a reply would do
            lasting = self.channel.connection.heartbeat or _NO_HEARTBEAT
        except (*BROKEN, AttributeError):  # py-amqp forgets the connection of a closed channel
            return False
        return time.monotonic() - asked < lasting

    def acknowledge(self, tag: int) -> None:
        """Acknowledge a delivery at the end of this turn of the loop. Never waits."""
        self._unsettled[tag] = True
        self._acknowledged.append(tag)
        if len(self._acknowledged) == 1:
            gevent.get_hub().loop.run_callback(self._flush)

    def give_back(self, tag: int) -> None:
        """Return an event, which the broker delivers again to any consumer. Never waits."""
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
            except Exception as error:  # noqa: BLE001 - only a new channel can settle these events
                if not isinstance(error, BROKEN):
                    log_failure(logger, error, '%s: cannot acknowledge events', self._queue)
                self.channel.fail(error)
        for tag in acknowledged:
            del self._unsettled[tag]
        self._close_if_done()

    def _send(self, acknowledged: list[int]) -> None:
        # One frame acknowledges all tags up to the first that is still open, the others need one
        # each. An event that is being fetched has a tag that is not known here yet, and may be
        # lower than those known, so meanwhile each tag is acknowledged by itself.
        known = () if self._fetching else self._unsettled
        leading = list(takewhile(self._unsettled.__getitem__, known))
        if leading:
            self.channel.acknowledge(leading[-1], multiple=len(leading) > 1)
        if len(leading) < len(acknowledged):
            last = leading[-1] if leading else 0
            for tag in acknowledged:
                if tag > last:
                    self.channel.acknowledge(tag)

    def _consume(self, prefetch: int) -> None:
        tag = f'{self._queue[:200]}.{secrets.token_hex(4)}'
        self._tags.append(tag)
        # registered first: deliveries may arrive before the reply to basic.consume
        self.channel.callbacks[tag] = self._receive
        self.channel.basic_qos(0, prefetch, False)
        if tag in self._tags:  # `lower` may have cancelled it meanwhile
            self.channel.basic_consume(
                self._queue, consumer_tag=tag, callback=self._receive, on_cancel=self._ended
            )

    def _cancel(self, tag: str) -> None:
        if self.channel.usable:
            with suppress(*BROKEN):
                # with a reply, so that py-amqp forgets the tag; nothing waits for it
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
    """An event that was delivered and has to be settled exactly once."""

    __slots__ = ('_channel', 'message', 'returns')

    def __init__(self, channel: ConsumingChannel, message: Any) -> None:
        self.message = message
        self.returns = 0  # how often it was given back before it began; see `returns`
        self._channel: ConsumingChannel | None = channel

    @property
    def live(self) -> bool:
        """Whether it can still be settled."""
        return self._channel is not None and self._channel.channel.usable

    def confirm(self) -> bool:
        """Return whether the broker still counts it as ours. Waits for an answer of the broker."""
        return self._channel is not None and self._channel.confirm()

    def acknowledge(self) -> None:
        """Acknowledge the event: the broker deletes it. Never waits; the second call is ignored."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.acknowledge(self.message.delivery_tag)

    def give_back(self) -> None:
        """Return the event: the broker delivers it again, to any consumer. Never waits."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.give_back(self.message.delivery_tag)


def _close(channel: AmqpChannel) -> None:
    with suppress(*BROKEN):
        channel.close()
