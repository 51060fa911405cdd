"""A channel that consumes one queue, and the deliveries that came over it.

A delivery tag means something on its own channel only. A delivery therefore keeps its session and
is settled there or not at all: when the channel is gone, the broker delivers the event again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from lymph.core.greenlets import Greenlet
from lymph.events.kombu.channels import Channel
from lymph.events.kombu.errors import BROKEN

__all__ = ['Delivery', 'Session']


class Session:
    """A consuming channel; it is closed when it is retired and all deliveries are settled."""

    def __init__(self, channel: Channel, tag: str) -> None:
        self.channel = channel
        self.tag = tag
        self.unsettled = 0
        self._retired = False

    def cancel(self) -> None:
        """Have no more delivered. Never waits."""
        if self.channel.usable:
            with suppress(*BROKEN):
                self.channel.basic_cancel(self.tag, nowait=True)

    def retire(self) -> None:
        """Close the channel as soon as nothing is to be settled over it. Never waits."""
        self._retired = True
        self._close_if_done()

    def settled(self) -> None:
        """Note that one more delivery is settled."""
        self.unsettled -= 1
        self._close_if_done()

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
