"""A connection to one endpoint: its link, and the calls that wait for a reply on it.

Source: the manual, section 5.2. A connection is used once: when its link goes down, all its calls
get their outcome, and whoever needs the endpoint again makes a new connection.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from typing import Any

from gevent.event import Event
from greenlet import getcurrent

from lymph.core._loop.deadlines import Expirations
from lymph.core._system.threads import get_ident
from lymph.core.channels import RequestChannel
from lymph.core.failures import log_failure
from lymph.core.messages import EMPTY_MAP, REPLIES
from lymph.core.transport.base import Link, LinkDown, Transport
from lymph.exceptions import ConnectionLost, NotConnected, Timeout

__all__ = ['DEFAULT_CONNECT_TIMEOUT', 'Connection']

logger = logging.getLogger(__name__)

DEFAULT_CONNECT_TIMEOUT = 1.0  # seconds for look-up, TCP connection and handshake
# Doubts about the peer since its last message: none; a call has expired; one has expired that was
# sent after that message.
_NONE, _LATE, _SILENT = 0, 1, 2
PROBE_INTERVAL = 5.0  # seconds between two questions to a silent peer


class Connection:
    """The caller's side of a link to `endpoint`.

    `came_up(connection)` and `went_down(connection, reason)` are called in the hub, the latter
    once, before the calls in flight end. A link that is not up after `connect_timeout` seconds goes
    down.
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
        self.thread = get_ident()  # where replies are waited for
        self.pending: dict[bytes, RequestChannel] = {}
        self.down_reason: str | None = None
        self._close_reason: str | None = None  # this side's, until the link is down
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
        #: whether to call here: the link is up, and nothing speaks against it. Each call reads it,
        #: so it is kept rather than computed.
        self.ready = False
        self._doubt = _NONE
        self._leaving = False  # whether the peer has said that it is stopping
        self._resting = False  # whether it has said that it is starting
        self._replies = self._timeouts = self._strays = 0
        self._probe_id = os.urandom(16)
        self._link = transport.connect(endpoint, self)
        self._ticket = expirations.add(self, self._opened + connect_timeout)

    @property
    def silent(self) -> bool:
        """Whether a call expired and nothing at all has arrived since it was sent."""
        return self._doubt == _SILENT

    @silent.setter
    def silent(self, silent: bool) -> None:
        """Note whether the peer is silent; False also clears that a call expired."""
        self._set_doubt(_SILENT if silent else _NONE)

    def leave(self) -> None:
        """Note that the peer has said that it is stopping: call elsewhere from now on."""
        self._leaving = True
        self._set_doubt(self._doubt)

    def rest(self, seconds: float) -> None:
        """Note that the peer has said that it is starting: call elsewhere for some seconds."""
        if not self._resting and self._link.up:
            self._resting = True
            self._ticket = self._expirations.add(self, time.monotonic() + seconds)
            self._set_doubt(self._doubt)

    def _set_doubt(self, doubt: int) -> None:
        self._doubt = doubt
        self.ready = self._link.up and not (doubt or self._leaving or self._resting or self.closing)

    @property
    def state(self) -> str:
        """One of ``connecting``, ``up``, ``down``."""
        if self.down_reason is not None or self.closing:
            return 'down'
        return 'up' if self._link.up else 'connecting'

    def wait_up(self, deadline: float) -> None:
        """Wait until messages can be sent.

        Raises NotConnected when the link goes down instead, or is not up by `deadline`.
        """
        if self._link.up:
            return
        self.settled.wait(max(0.0, deadline - time.monotonic()))
        if not self._link.up:
            raise NotConnected(f'{self.endpoint}: {self.why_not}', endpoint=self.endpoint)

    @property
    def why_not(self) -> str:
        """Why nothing can be sent now."""
        reason = self.down_reason or self._close_reason
        return reason or f'no connection by the deadline of the call{self._still_waiting}'

    @property
    def _still_waiting(self) -> str:
        return f', still waiting for {self._link.stage}' if self._link.stage else ''

    def expire(self) -> None:
        """Give up a link that is not up in time; end the rest of one that is."""
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
    ) -> RequestChannel:
        """Send a request that ends by `deadline`, at the latest as a Timeout.

        `timeout` is what the caller asked for in seconds, to be named in that error. Waits while
        the peer does not read, and raises Expired when it does not until the deadline. Raises
        NotConnected when the link is not up.
        """
        channel = RequestChannel(id, subject, headers, self, timeout)
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
        """Drop a call from the table; its reply will be ignored."""
        if self.pending.pop(channel.id, None) is not None:
            self._expirations.discard(channel, channel.ticket)

    def expired(self, channel: RequestChannel, error: Timeout) -> None:
        """End a call whose deadline has passed with `error`, and doubt that the peer is there."""
        if self.pending.pop(channel.id, None) is None:
            return
        self._timeouts += 1
        if channel.heard == self.heard:  # before the caller tries again
            self._set_doubt(_SILENT)
        elif self._doubt == _NONE:
            self._set_doubt(_LATE)
        channel.resolve(None, error)
        if self._doubt:
            self._probe()

    def close(self, reason: str = 'closed') -> None:
        """Take the link down; calls in flight end with ConnectionLost."""
        self.closing = True
        self.ready = False
        self._close_reason = reason
        self._link.close(reason)

    def stats(self) -> dict[str, Any]:
        """Return counts and ages (seconds) for an operator."""
        return {
            'endpoint': self.endpoint,
            'state': self.state,
            'silent': self.silent,
            'pending': len(self.pending),
            'requests': self.requests,
            'replies': self._replies,
            'timeouts': self._timeouts,
            'strays': self._strays,
            'age': time.monotonic() - self._opened,
        }

    def link_up(self, link: Link) -> None:
        """Let those go on who wait to send."""
        self._expirations.discard(self, self._ticket)
        self._set_doubt(_NONE)
        self.settled.set()
        self._came_up(self)

    def message_arrived(self, link: Link, frames: list[bytes]) -> None:
        """Give a reply to its call; strays (late, foreign or malformed) are counted."""
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
        """Tell the owner, who forgets this connection, then end all calls in flight."""
        self.down_reason = reason
        self.ready = False
        self._expirations.discard(self, self._ticket)
        self.settled.set()
        pending, self.pending = self.pending, {}
        try:
            self._went_down(self, reason)
        except Exception as error:  # noqa: BLE001 - registries hear of it; the calls still end
            log_failure(logger, error, '%s: the end of the connection was not told', self.endpoint)
        for channel in pending.values():
            self._expirations.discard(channel, channel.ticket)
            if channel.sending is None:  # else the link tells who is still sending
                lost = ConnectionLost(f'{channel.what}: {reason}', **channel.facts)
                channel.resolve(None, lost)

    def _probe(self) -> None:
        """Ask a peer that may be gone for a sign of life, one question at a time.

        Whatever it says to whatever call ends its silence; so does the answer to this one, and when
        it expires the next one follows.
        """
        if self._probe_id not in self.pending and self._link.up:
            until = time.monotonic() + PROBE_INTERVAL
            self.request(self._probe_id, b'lymph.ping', EMPTY_MAP, EMPTY_MAP, until, PROBE_INTERVAL)
