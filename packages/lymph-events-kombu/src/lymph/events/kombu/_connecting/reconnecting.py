"""A connection that is restored after a loss, independent of its protocol.

A greenlet, the owner, watches the connection and connects again when it is lost. It tries one
address after the other, and when all have failed, it waits with exponential backoff and jitter and
tries again without end. After a connection that was lost within a second, it waits as well, because
the cause may close the next one too.

An outage is logged when it begins and then once a minute. Connections that are lost again at once
count as one outage.
"""

from __future__ import annotations

import logging
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

import gevent
from gevent.event import Event

from lymph.core._system.threads import get_ident
from lymph.core.failures import error_line, log_failure
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.connection_states import ConnectionTracker
from lymph.core.monitoring.log_limits import Reminder
from lymph.events.backoff import Backoff
from lymph.events.kombu._connecting.errors import BROKEN, BrokerError, explain
from lymph.events.kombu._connecting.loops import go_on
from lymph.exceptions import WrongThread

__all__ = ['Reconnecting']

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(first=0.2, longest=5.0, jitter=0.5)
_BRIEF = 1.0  # seconds; after a connection that lasted less, there is a pause
_BACKOFF_AFTER_BRIEF = Backoff(first=0.1, longest=1.0, jitter=0.5)


class _Connection(Protocol):
    """A connection that `Reconnecting` restores."""

    def wait_lost(self) -> Exception:
        """Wait until the connection is lost, and return why."""

    def close(self) -> object:
        """Close the connection as its protocol requires. May wait."""


B = TypeVar('B')
C = TypeVar('C', bound=_Connection)


class _Misunderstood(BrokerError):
    """The answer is not that of a known broker; the cause has the details for the log."""


class _TooLong(Exception):
    """Closing took too long."""


def _nothing() -> None:
    pass


class Reconnecting(ABC, Generic[B, C]):
    """Keeps one connection to one of `brokers`.

    ============  ==============================================================================
    `purpose`     names the connection in the log
    `brokers`     the addresses, tried in turn, or in random order with `shuffle`
    `on_down()`   is called when the connection is lost, and must not wait
    `reminder`    limits the log; connections that are lost together share one, for one line
    `tracker`     keeps the state of the connection, as the part `purpose`
    ============  ==============================================================================

    The attribute `connection` is None while there is no connection; `trouble` then says why.
    The event `up` is set while there is one.
    """

    def __init__(
        self,
        purpose: str,
        brokers: Sequence[B],
        on_down: Callable[[], object] = _nothing,
        shuffle: bool = False,
        reminder: Reminder | None = None,
        tracker: ConnectionTracker | None = None,
    ) -> None:
        self.broker = brokers[0]
        self.connection: C | None = None
        self.trouble = 'not connected yet'  # why there is no connection
        self.up = Event()
        self._purpose = purpose
        self._brokers = list(brokers)
        self._shuffle = shuffle
        self._on_down = on_down
        self._abandoned = False
        self._thread = get_ident()
        self._owner: Greenlet | None = None
        self._brief = 0  # number of brief connections in a row
        self._since = 0.0  # monotonic time at which the connection was made
        self._reminder = reminder or Reminder()
        self._tracker = tracker or ConnectionTracker()
        self._told = False  # whether the loss was logged as a warning
        self._forsaken: C | None = None  # a lost connection whose `_abandon` failed

    @abstractmethod
    def _open(self, broker: B) -> C:
        """Return a connection to `broker` that is ready for use.

        Raises BrokerError when that fails. Any other error means that the answer was not that of a
        known broker.
        """

    @abstractmethod
    def _abandon(self, connection: C) -> None:
        """Drop a connection and everything that belongs to it, without waiting for the broker."""

    def expect_own_thread(self) -> None:
        """Raise WrongThread in any native thread but the one that created this object."""
        if get_ident() != self._thread:
            raise WrongThread('an event system was used')

    def start(self) -> None:
        """Connect, and restore the connection from now on.

        Raises BrokerError, with the reasons, when no address accepts a connection at the start.
        """
        errors = self._try_all()
        if self.connection is None:
            for error in errors:
                _log(logging.DEBUG, error, '%s', error)
            self._tracker.forget(self._purpose)  # nobody connects it
            raise BrokerError('; '.join(str(error) for error in errors))
        self._owner = Greenlet.spawn(go_on, logger, self._purpose, self._own)

    def stop(self, timeout: float) -> None:
        """Close the connection; after `timeout` seconds drop it without the broker's answer."""
        if self._owner is not None:
            self._owner.kill()
            self._owner = None
        connection, self.connection = self.connection, None
        self.up.clear()
        self.trouble = 'stopped'
        self._tracker.forget(self._purpose)
        if connection is not None:
            with suppress(_TooLong, *BROKEN), gevent.Timeout(timeout, _TooLong):
                connection.close()
            self._abandon(connection)

    def _own(self) -> bool:
        """Watch the connection until it is lost, or connect; return True in a forked child."""
        if self.connection is None:
            self._reconnect()
        else:
            error = self.connection.wait_lost()
            if not self._abandoned:
                self._lose(self.connection, error)
        return self._abandoned

    def _lose(self, connection: C, error: Exception) -> None:
        self.up.clear()
        self.connection = None
        self.trouble = f'{self.broker}: {explain(error)}'
        self._tracker.down(self.trouble, self._purpose)
        lasted = time.monotonic() - self._since
        self._brief = self._brief + 1 if lasted < _BRIEF else 0
        self._forsaken = connection
        try:
            self._abandon(connection)
            self._forsaken = None
        finally:
            self._on_down()
        self._tell(None, '%s: lost the connection: %s', self._purpose, self.trouble)

    def _reconnect(self) -> None:
        forsaken, self._forsaken = self._forsaken, None
        if forsaken is not None:
            self._abandon(forsaken)  # again, or its users would wait for ever
        if self._brief:
            gevent.sleep(_BACKOFF_AFTER_BRIEF.delay(self._brief, random.random()))
        attempt = 0
        while self.connection is None:
            errors = self._try_all()
            if self.connection is None:
                attempt += 1
                self._tell(errors[-1], '%s: %s; trying again', self._purpose, self.trouble)
                gevent.sleep(_BACKOFF.delay(attempt, random.random()))
        if self._told:
            self._told = False
            logger.info('%s: connected again to %s', self._purpose, self.broker)

    def _tell(self, error: BrokerError | None, text: str, *args: object) -> None:
        due = self._reminder.due(time.monotonic())
        self._told |= due
        _log(logging.WARNING if due else logging.DEBUG, error, text, *args)

    def _try_all(self) -> list[BrokerError]:
        """Try each address until one accepts the connection; return the errors of the others."""
        errors = []
        for broker in self._in_turn():
            try:
                connection = self._open(broker)
            except BrokerError as error:
                errors.append(error)
            except Exception as error:  # noqa: BLE001 - clients may fail on any data they read
                failure = _Misunderstood(
                    f'{broker}: cannot understand what answers ({error_line(error)})'
                )
                failure.__cause__ = error
                errors.append(failure)
            else:
                self.broker = broker
                self.connection = connection
                self._since = time.monotonic()
                self.up.set()
                self._tracker.up(str(broker), self._purpose)
                break
            self.trouble = str(errors[-1])
            self._tracker.down(self.trouble, self._purpose)
        return errors

    def _in_turn(self) -> list[B]:
        """Return the addresses rotated by one with each call, or shuffled."""
        if self._shuffle:
            return random.sample(self._brokers, len(self._brokers))
        turn, self._brokers = self._brokers, [*self._brokers[1:], self._brokers[0]]
        return turn


def _log(level: int, error: BrokerError | None, text: str, *args: object) -> None:
    if isinstance(error, _Misunderstood) and error.__cause__ is not None:
        log_failure(logger, error.__cause__, text, *args, level=level)
    else:
        logger.log(level, text, *args)
