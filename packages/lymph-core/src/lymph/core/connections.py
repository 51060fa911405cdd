"""A connection to one endpoint: its link, and the calls that wait for a reply on it.

Source: the manual, section 5.2. A connection never reconnects: when its link goes down, all its
calls get an outcome, and the next call to the endpoint makes a new connection.

A host that loses power leaves its links up. So an expired call puts the peer in doubt:

======  ========================================================================
doubt   meaning
======  ========================================================================
none    no call has expired since the last message of the peer
late    a call has expired that was sent before that message
silent  a call has expired that was sent after it: nothing has arrived since
======  ========================================================================

Any message of the peer sets the doubt to none. Until then the connection is not `ready`, so calls
go to other instances if there are any, and the peer is pinged every `PROBE_INTERVAL` seconds.
"""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable
from typing import Any, TypeVar

import gevent
from gevent.event import Event
from greenlet import getcurrent

from lymph.core._loop.deadlines import Expirations
from lymph.core._system.threads import get_ident
from lymph.core.channels import RequestChannel
from lymph.core.failures import log_failure
from lymph.core.messages import CANCEL, EMPTY_MAP, NIL, REPLIES
from lymph.core.transport.base import Link, LinkDown, MessageTooLong, Transport
from lymph.exceptions import ConnectionLost, NotConnected, Timeout

__all__ = ['DEFAULT_CONNECT_TIMEOUT', 'Connection']

logger = logging.getLogger(__name__)

C = TypeVar('C', bound=RequestChannel)

DEFAULT_CONNECT_TIMEOUT = 1.0  # seconds for look-up, TCP connection and handshake together
_NONE, _LATE, _SILENT = 0, 1, 2  # doubt about the peer; see the table above
PROBE_INTERVAL = 5.0  # seconds between two pings of a peer in doubt


class Connection:
    """The caller's side of a link to `endpoint`.

    `came_up(connection)` is called in the hub when the link is up, `went_down(connection, reason)`
    once when it is down, before the calls in flight end. A link that is not up after
    `connect_timeout` seconds is closed. Raises ValueError for an endpoint that the transport cannot
    reach.
    """

    def __init__(
        self,
        endpoint: str,
        transport: Transport,
        expirations: Expirations,
        came_up: Callable[[Connection], None],
        went_down: Callable[[Connection, str], None],
        connect_timeout: float = DEFAULT_CONNECT_TIMEOUT,
    ) -> None:
        self.endpoint = endpoint
        self.thread = get_ident()  # the native thread in which replies are waited for
        self.pending: dict[bytes, RequestChannel] = {}
        self.down_reason: str | None = None
        self._close_reason: str | None = None  # of `close`, until the link is down
        self._expirations = expirations
        self._came_up = came_up
        self._went_down = went_down
        self.settled = Event()  # the link is up, or down
        self.waiting = 0  # callers that wait for the link
        self._opened = time.monotonic()
        self._connect_timeout = connect_timeout
        self.requests = 0  # sent so far
        self.closing = False  # whether this side took it down
        self.heard = 0  # messages that have arrived
        #: whether calls should be sent here: the link is up, the peer is not in doubt, and it has
        #: not said that it is starting or stopping. Stored because each call reads it.
        self.ready = False
        self._doubt = _NONE
        self._leaving = False  # whether the peer has said that it is stopping
        self._resting = False  # whether the peer has said lately that it is starting
        self._replies = self._timeouts = self._strays = self._given_up = 0
        self._probe_id = os.urandom(16)
        self._link = transport.connect(endpoint, self)
        self._ticket = expirations.add(self, self._opened + connect_timeout)

    @property
    def silent(self) -> bool:
        """Whether a call has expired and nothing has arrived since it was sent."""
        return self._doubt == _SILENT

    @silent.setter
    def silent(self, silent: bool) -> None:
        """Set the doubt about the peer to silent, or to none."""
        self._set_doubt(_SILENT if silent else _NONE)

    def leave(self) -> None:
        """Note that the peer is stopping: it is not `ready` any more."""
        self._leaving = True
        self._set_doubt(self._doubt)

    def rest(self, seconds: float) -> None:
        """Note that the peer is starting: it is not `ready` for some seconds."""
        if not self._resting and self._link.up:
            self._resting = True
            self._ticket = self._expirations.add(self, time.monotonic() + seconds)
            self._set_doubt(self._doubt)

    def _set_doubt(self, doubt: int) -> None:
        """Set the doubt about the peer and compute `ready` again."""
        self._doubt = doubt
        self.ready = self._link.up and not (doubt or self._leaving or self._resting or self.closing)

    @property
    def state(self) -> str:
        """One of ``connecting``, ``up``, ``down``."""
        if self.down_reason is not None or self.closing:
            return 'down'
        return 'up' if self._link.up else 'connecting'

    def wait_up(self, deadline: float) -> None:
        """Wait until messages can be sent; `deadline` is a time of `time.monotonic`.

        Raises NotConnected when the link goes down, or is not up by `deadline`.
        """
        if self._link.up:
            return
        self.settled.wait(max(0.0, deadline - time.monotonic()))
        if not self._link.up:
            raise NotConnected(f'{self.endpoint}: {self.why_not}', endpoint=self.endpoint)

    @property
    def why_not(self) -> str:
        """Why nothing can be sent now, for errors."""
        reason = self.down_reason or self._close_reason
        return reason or f'no connection by the deadline of the call{self._still_waiting}'

    @property
    def _still_waiting(self) -> str:
        return f', still waiting for {self._link.stage}' if self._link.stage else ''

    def expire(self) -> None:
        """Handle the one deadline of a connection; `Expirations` calls this.

        Before the link is up it limits connecting, so the link is closed. Later it is the end of
        the pause that `rest` has begun.
        """
        if self._resting:
            self._resting = False
            self._set_doubt(self._doubt)
            return
        self._link.close(f'no connection within {self._connect_timeout:.3g} s{self._still_waiting}')

    def request(
        self,
        id: bytes,
        subject: bytes,
        headers: bytes,
        body: bytes,
        deadline: float,
        timeout: float,
        channel_type: type[C] = RequestChannel,  # type: ignore[assignment]  # C is bound to it
    ) -> C:
        """Send a request and return its channel, which gets a reply or a Timeout by `deadline`.

        `deadline` is a time of `time.monotonic`; `timeout` is what the caller asked for (seconds),
        for the text of the error; `channel_type` is the class of the channel. Waits while the peer
        does not read; raises Expired when it has not read the request by the deadline. Raises
        NotConnected when the link is not up, MessageTooLong.
        """
        channel = channel_type(id, subject, headers, self, timeout)
        channel.ticket = self._expirations.add(channel, deadline)
        self.pending[id] = channel
        channel.sending = getcurrent()
        try:
            self._link.send((id, b'REQ', subject, headers, body))
        except BaseException as error:
            self.forget(channel)
            if isinstance(error, LinkDown):
                raise NotConnected(str(error), **channel.facts) from error
            raise
        finally:
            channel.sending = None
        self.requests += 1
        return channel

    def forget(self, channel: RequestChannel) -> None:
        """Remove a call from the table; its reply will be ignored."""
        if self.pending.pop(channel.id, None) is not None:
            self._expirations.discard(channel, channel.ticket)

    def give_up(self, channel: RequestChannel) -> None:
        """Remove a call from the table, and tell the peer that nobody waits for it. Never waits.

        Nothing is sent for a call that has ended.
        """
        if channel.id in self.pending:
            self.forget(channel)
            self._given_up += 1
            # from the hub, sending never waits
            gevent.get_hub().loop.run_callback(self._send_cancel, channel.id)

    def _send_cancel(self, id: bytes) -> None:
        # a peer that gets no CANCEL notices that the link is down, or that the deadline passes
        with contextlib.suppress(LinkDown, MessageTooLong):
            self._link.send((os.urandom(16), CANCEL, id, EMPTY_MAP, NIL))

    def expired(self, channel: RequestChannel, error: Timeout) -> None:
        """End a call whose deadline has passed with `error`, and put the peer in doubt."""
        if self.pending.pop(channel.id, None) is None:
            return
        self._timeouts += 1
        # before `resolve`, which resumes the caller: its retry should go elsewhere
        if channel.heard == self.heard:
            self._set_doubt(_SILENT)
        elif self._doubt == _NONE:
            self._set_doubt(_LATE)
        channel.resolve(None, error)
        if self._doubt:
            self._probe()

    def close(self, reason: str = 'closed') -> None:
        """Close the link; calls in flight end with ConnectionLost and the text `reason`."""
        self.closing = True
        self.ready = False
        self._close_reason = reason
        self._link.close(reason)

    def counts(self) -> dict[str, int]:
        """Return what has happened on this connection so far."""
        return {
            'requests': self.requests,
            'replies': self._replies,
            'timeouts': self._timeouts,
            'given_up': self._given_up,
            'strays': self._strays,
        }

    def stats(self) -> dict[str, Any]:
        """Return facts for an operator: state, counts, and the age in seconds."""
        return {
            'endpoint': self.endpoint,
            'state': self.state,
            'silent': self.silent,
            'pending': len(self.pending),
            **self.counts(),
            'age': time.monotonic() - self._opened,
        }

    def link_up(self, link: Link) -> None:
        """Handle that the link is up: resume the callers that wait to send."""
        self._expirations.discard(self, self._ticket)
        self._set_doubt(_NONE)
        self.settled.set()
        self._came_up(self)

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Give a reply to its call; count strays (late, malformed, or for no known call)."""
        self.heard += 1
        if self._doubt:
            self._set_doubt(_NONE)
        wellformed = len(frames) == 5 and frames[1] in REPLIES
        channel = self.pending.pop(frames[2], None) if wellformed else None
        if channel is None:
            self._strays += 1
            return
        self._expirations.discard(channel, channel.ticket)
        self._replies += 1
        channel.resolve(frames, None)

    def link_down(self, link: Link, reason: str) -> None:
        """Handle the end of the link: call `went_down`, then end all calls in flight."""
        self.down_reason = reason
        self.ready = False
        self._expirations.discard(self, self._ticket)
        self.settled.set()
        pending, self.pending = self.pending, {}
        try:
            self._went_down(self, reason)
        except Exception as error:  # noqa: BLE001 - of a registry; the calls still have to end
            log_failure(logger, error, '%s: the end of the connection was not told', self.endpoint)
        for channel in pending.values():
            self._expirations.discard(channel, channel.ticket)
            if channel.sending is None:  # otherwise `Link.send` raises in the sending greenlet
                lost = ConnectionLost(f'{channel.what}: {reason}', **channel.facts)
                channel.resolve(None, lost)

    def _probe(self) -> None:
        """Ping a peer in doubt, unless a ping is in flight.

        Any message of the peer ends the doubt, the answer to the ping included. When the ping
        expires, `expired` sends the next one.
        """
        if self._probe_id not in self.pending and self._link.up:
            until = time.monotonic() + PROBE_INTERVAL
            self.request(self._probe_id, b'lymph.ping', EMPTY_MAP, EMPTY_MAP, until, PROBE_INTERVAL)
