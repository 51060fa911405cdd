"""A channel that consumes one queue, and the deliveries that came over it.

A delivery tag means something on its own channel only. A delivery therefore keeps its session and
is settled there or not at all: when the channel is gone, the broker delivers the event again.

A session begins narrow: the broker sends one event and waits for its outcome. `widen` has it send
more ahead, `narrow` ends that. The prefetch of a consumer cannot be changed, so the rest of the
width is a second consumer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from lymph.core.greenlets import Greenlet
from lymph.events.kombu.channels import Channel
from lymph.events.kombu.errors import BROKEN

__all__ = ['Delivery', 'Session']


_NO_HEARTBEAT = 10.0  # seconds for which an answer is good where nobody looks for silence


class Session:
    """A consuming channel; it is closed when it is retired and all deliveries are settled."""

    def __init__(
        self,
        channel: Channel,
        queue: str,
        deliver: Callable[[Delivery], object],
        cancelled: Callable[[], object],
    ) -> None:
        self.channel = channel
        self.unsettled = 0
        self.wide = False
        self._queue = queue
        self._deliver = deliver
        self._cancelled = cancelled
        self._tags: list[str] = []
        self._retired = False

    def consume(self) -> None:
        """Begin to consume, narrow. Waits."""
        self._consume(1)

    def widen(self, width: int) -> None:
        """Have up to `width` events under way. Waits."""
        if not self.wide:
            self.wide = True
            self._consume(width - 1)

    def narrow(self) -> None:
        """Have one event at a time sent from now on. Never waits."""
        if self.wide:
            self.wide = False
            self._cancel(self._tags.pop())

    def cancel(self) -> None:
        """Have no more sent. Never waits."""
        while self._tags:
            self._cancel(self._tags.pop())

    def retire(self) -> None:
        """Close the channel as soon as nothing is to be settled over it. Never waits."""
        self._retired = True
        self._close_if_done()

    def abandon(self) -> None:
        """Close the channel at once; what is not settled goes back to its place. Never waits."""
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

    def settled(self) -> None:
        """Note that one more delivery is settled."""
        self.unsettled -= 1
        self._close_if_done()

    def _consume(self, prefetch: int) -> None:
        tag = f'{self._queue[:200]}.{secrets.token_hex(4)}'
        self._tags.append(tag)
        # registered before, because deliveries may come before the reply is seen
        self.channel.callbacks[tag] = self._receive
        self.channel.basic_qos(0, prefetch, False)
        self.channel.basic_consume(
            self._queue, consumer_tag=tag, callback=self._receive, on_cancel=self._ended
        )

    def _cancel(self, tag: str) -> None:
        if self.channel.usable:
            with suppress(*BROKEN):
                self.channel.basic_cancel(tag, nowait=True)

    def _receive(self, message: Any) -> None:
        self._deliver(Delivery(self, message))

    def _ended(self, tag: str) -> None:
        self._cancelled()

    def _close_if_done(self) -> None:
        if self._retired and self.unsettled == 0 and self.channel.usable:
            self.channel.on_closed = None
            Greenlet.spawn(_close, self.channel)


class Delivery:
    """An event that was delivered and has to be settled, once."""

    __slots__ = ('_session', 'message')

    def __init__(self, session: Session, message: Any) -> None:
        self.message = message
        self._session: Session | None = session
        session.unsettled += 1

    @property
    def live(self) -> bool:
        """Whether it can still be settled."""
        return self._session is not None and self._session.channel.usable

    def confirm(self) -> bool:
        """Tell whether it is still ours to handle. Waits for the broker's word."""
        return self._session is not None and self._session.confirm()

    def acknowledge(self) -> None:
        """Tell the broker to forget the event. Never waits."""
        self._settle('basic_ack')

    def give_back(self) -> None:
        """Tell the broker to deliver the event again, to whomever. Never waits."""
        self._settle('basic_reject', True)

    def _settle(self, method: str, *args: Any) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        if session.channel.usable:
            with suppress(*BROKEN):
                getattr(session.channel, method)(self.message.delivery_tag, *args)
        session.settled()


def _close(channel: Channel) -> None:
    with suppress(*BROKEN):
        channel.close()
