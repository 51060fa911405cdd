"""Waiting for a connection to one of several instances: the first that is up wins.

Only calls that find no usable link come here. One instance is tried first. If its link is not up
after a head start, another one is tried as well, then two more, then four, and so on. So an address
that drops all packets delays a call by a moment, and many such addresses delay it little more.
Connections that other calls have begun are waited for as well; no endpoint is tried twice for one
call.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterable

import gevent

from lymph.core._calling.calls import Call
from lymph.core._calling.dialer import Dialer
from lymph.core.connections import Connection

__all__ = ['Race']

_HEAD_START = 0.15  # seconds; a handshake on a busy machine takes less


class Race:
    """The search of one call for a link among `endpoints`.

    With `patient`, the search goes on with the remaining endpoints after a failure; otherwise it
    ends when the connections that were begun have failed.
    """

    def __init__(self, dialer: Dialer, call: Call, endpoints: Iterable[str], patient: bool) -> None:
        self._dialer = dialer
        self._call = call
        self._endpoints = tuple(dict.fromkeys(endpoints))  # several instances may share one
        self._patient = patient
        self._untried = random.sample(self._endpoints, len(self._endpoints))
        self._running: dict[str, Connection] = {}
        self._batch = 1  # endpoints to begin with at the next start
        self._failed = False  # whether a connection of this race has failed

    def run(self) -> Connection:
        """Return a connection to send on.

        Raises NotConnected when there is none in time, Expired when there was no time to try.
        """
        # Each pass of the loop: take a link that is up; wait also for connections that other calls
        # began; begin new connections if the head start of the last ones is over; then wait until
        # a connection has come up or failed. A silent peer gets the call if nothing is left to try.
        next_start = now = time.monotonic()
        while now < self._call.deadline:
            ready = self._ready()
            if ready is not None:
                return ready
            self._join_those_of_others()
            if self._failed and not self._running and not self._patient:
                break
            if now >= next_start or not self._running:
                if self._start_some(now):
                    next_start = now + _HEAD_START
                elif (standing := self._standing()) is not None:
                    return standing
                elif not self._running:
                    break
                else:
                    next_start = self._call.deadline
            self._wait(min(next_start, self._call.deadline))
            now = time.monotonic()
        for endpoint, connection in self._running.items():
            self._call.unreached[endpoint] = f'{endpoint}: {connection.why_not}'
        raise self._call.not_connected()

    def _ready(self) -> Connection | None:
        ready = [e for e in self._endpoints if self._dialer.ready(e) is not None]
        return self._dialer.find(min(ready, key=self._dialer.load)) if ready else None

    def _standing(self) -> Connection | None:
        """Return a link that is up although its peer is silent, starting or stopping, or None."""
        found = [self._dialer.find(endpoint) for endpoint in self._endpoints]
        standing = [c for c in found if c is not None and c.state == 'up']
        return random.choice(standing) if standing else None

    def _join_those_of_others(self) -> None:
        for endpoint in tuple(self._untried):
            connection = self._dialer.find(endpoint)
            if connection is not None and connection.state == 'connecting':
                self._join(endpoint, connection)

    def _join(self, endpoint: str, connection: Connection) -> None:
        self._untried.remove(endpoint)
        self._running[endpoint] = connection

    def _start_some(self, now: float) -> bool:
        """Begin to connect to the next endpoints; return whether there were any."""
        due = [e for e in self._untried if self._dialer.may_dial(e, now)][: self._batch]
        if not due and not self._running and self._standing() is None:
            due = self._insist(now)
        for endpoint in due:
            reason = self._dialer.try_to_connect(endpoint)
            connection = self._dialer.find(endpoint)
            if connection is not None:
                self._join(endpoint, connection)
            else:
                self._untried.remove(endpoint)
                self._note_failure(endpoint, reason or endpoint)
        if len(self._untried) < len(self._endpoints) - 1:  # batches of 1, 1, 2, 4, ...
            self._batch *= 2
        return bool(due)

    def _insist(self, now: float) -> list[str]:
        """Return an endpoint to try again before its pause is over, since there is no other.

        Waits until it may be dialled (`Reachability.insist_at`). An endpoint that another call has
        dialled in vain meanwhile has failed for this call, too.
        """
        while self._untried:
            at, endpoint = min((self._dialer.way(e).insist_at(), e) for e in self._untried)
            if at <= now:
                return [endpoint]
            way = self._dialer.way(endpoint)
            ended = way.ended
            gevent.sleep(min(at, self._call.deadline) - now)
            if way.ended == ended:
                return [endpoint]
            self._untried.remove(endpoint)
            self._note_failure(endpoint, f'{endpoint}: {way.reason}')
            now = time.monotonic()
        return []

    def _wait(self, until: float) -> None:
        """Wait until a connection is up or down; note those that have failed."""
        running = list(self._running.values())
        for connection in running:
            connection.waiting += 1
        try:
            seconds = max(0.0, until - time.monotonic())
            gevent.wait([each.settled for each in running], seconds, count=1)
        finally:
            for connection in running:
                connection.waiting -= 1
        for endpoint, connection in tuple(self._running.items()):
            if connection.state == 'down':
                del self._running[endpoint]
                self._note_failure(endpoint, f'{endpoint}: {connection.why_not}')

    def _note_failure(self, endpoint: str, reason: str) -> None:
        self._failed = True
        self._call.unreached[endpoint] = reason
