"""A connection that comes back: the one greenlet that owns it, its reader and its heartbeats.

The owner connects, watches, and connects again when the connection is lost: to one address after
the other, and when all have failed after a growing, jittered delay, for as long as it takes.
`prepare` is called with each new connection before anybody else sees it, and may wait; what it
raises counts as a failed connection. `on_down` is called when the connection is gone; it never
waits.

Heartbeats have a greenlet of their own, so that neither an idle connection nor a busy one is lost
for want of them. Source: RabbitMQ's guide to heartbeats: silence for two intervals is a dead peer.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import gevent
from gevent.event import Event

from lymph.core.greenlets import Greenlet
from lymph.core.protocol.redelivery import Backoff
from lymph.events.kombu.brokers import Broker
from lymph.events.kombu.channels import Channel, Connection
from lymph.events.kombu.errors import BROKEN, BrokerError, explain

__all__ = ['Link']

logger = logging.getLogger(__name__)

_BACKOFF = Backoff(first=0.2, longest=5.0, jitter=0.5)
_HEARTBEATS = 4  # looks at the clock in one heartbeat interval


class _TooLong(Exception):
    """Closing took too long."""


def _nothing() -> None:
    pass


class Link:
    """Keeps one connection to one of `brokers`; `purpose` names it in the log."""

    def __init__(
        self,
        purpose: str,
        brokers: Sequence[Broker],
        prepare: Callable[[Connection], object],
        on_down: Callable[[], object] = _nothing,
        shuffle: bool = False,
    ) -> None:
        self.broker = brokers[0]
        self.connection: Connection | None = None
        self.trouble = 'not connected yet'  # why there is no connection
        self.up = Event()
        self._purpose = purpose
        self._brokers = list(brokers)
        self._shuffle = shuffle
        self._prepare = prepare
        self._on_down = on_down
        self._abandoned = False
        self._owner: Greenlet | None = None
        self._greenlets: list[Greenlet] = []

    def start(self) -> None:
        """Connect, and keep connected; raises BrokerError when no address lets us in."""
        errors = self._try_all()
        if self.connection is None:
            raise BrokerError('; '.join(str(error) for error in errors))
        self._owner = Greenlet.spawn(self._own)

    def stop(self, timeout: float) -> None:
        """Close the connection in order, within `timeout` seconds, else without ceremony."""
        if self._owner is not None:
            self._owner.kill()
            self._owner = None
        connection, self.connection = self.connection, None
        self.up.clear()
        self.trouble = 'stopped'
        if connection is not None:
            with suppress(_TooLong, *BROKEN), gevent.Timeout(timeout, _TooLong):
                connection.close()
            self._abandon(connection)

    def abandon(self) -> None:
        """Let go of the connection in a forked child, without a word to the broker."""
        self._abandoned = True
        if self.connection is not None:
            self.connection.transport.abandon()

    @contextmanager
    def channel(self, timeout: float = 0) -> Iterator[Channel]:
        """Lend a channel of its own for the duration of a `with` block.

        Waits up to `timeout` seconds for a connection. Raises BrokerError when there is none, and
        in place of the errors of py-amqp within the block.
        """
        self.up.wait(timeout)
        connection = self.connection
        if connection is None:
            raise BrokerError(f'no connection: {self.trouble}')
        try:
            channel: Channel = connection.channel()
            try:
                yield channel
            finally:
                with suppress(*BROKEN):
                    channel.close()
        except BROKEN as error:
            raise BrokerError(f'{self.broker}: {explain(error)}') from error

    def _own(self) -> None:
        while True:
            if self.connection is not None:
                error = self.connection.wait_lost()
                if self._abandoned:
                    return
                self._lose(self.connection, error)
            try:
                self._reconnect()
            except Exception:  # whatever it is, the connection has to come back
                logger.exception('%s: cannot connect', self._purpose)
                gevent.sleep(_BACKOFF.longest)

    def _lose(self, connection: Connection, error: Exception) -> None:
        self.up.clear()
        self.connection = None
        self.trouble = f'{self.broker}: {explain(error)}'
        logger.warning('%s: lost the connection: %s', self._purpose, self.trouble)
        self._abandon(connection)
        self._on_down()

    def _reconnect(self) -> None:
        attempt = 0
        while self.connection is None:
            self._try_all()
            if self.connection is None:
                attempt += 1
                delay = _BACKOFF.delay(attempt, random.random())
                logger.warning('%s: %s; trying again in %.1f s', self._purpose, self.trouble, delay)
                gevent.sleep(delay)
        logger.info('%s: connected again to %s', self._purpose, self.broker)

    def _try_all(self) -> list[BrokerError]:
        """Try every address once; returns the errors."""
        errors = []
        for broker in self._in_turn():
            try:
                self._connect(broker)
            except BrokerError as error:
                errors.append(error)
                self.trouble = str(error)
            else:
                break
        return errors

    def _in_turn(self) -> list[Broker]:
        """Return the addresses, the one that was tried first last time at the end."""
        if self._shuffle:
            return random.sample(self._brokers, len(self._brokers))
        turn, self._brokers = self._brokers, [*self._brokers[1:], self._brokers[0]]
        return turn

    def _connect(self, broker: Broker) -> None:
        connection = broker.connect()
        self._greenlets = [
            Greenlet.spawn(_read, connection),
            Greenlet.spawn(_keep_alive, connection),
        ]
        try:
            self._prepare(connection)
        except BaseException as error:
            self._abandon(connection)
            if isinstance(error, BROKEN):
                raise BrokerError(f'{broker}: {explain(error)}') from error
            raise
        self.broker = broker
        self.connection = connection
        self.up.set()

    def _abandon(self, connection: Connection) -> None:
        connection.collect()
        gevent.killall(self._greenlets)
        self._greenlets = []


def _read(connection: Connection) -> None:
    """Read until the connection ends, and say why."""
    try:
        wire, dispatch = connection.transport, connection.on_inbound_frame
        while wire.connected:
            dispatch(wire.read_frame())
    except BROKEN as error:
        connection.fail(error)
    except Exception as error:  # the edge of py-amqp, which reads what others wrote
        logger.exception('cannot understand the broker')
        connection.fail(error)
    else:
        connection.fail(ConnectionResetError('the connection broke'))


def _keep_alive(connection: Connection) -> None:
    """Send heartbeats and look for those of the broker."""
    interval = connection.heartbeat / _HEARTBEATS
    if not interval:
        return
    while True:
        gevent.sleep(interval)
        # After a blocked loop the reader comes first: what has arrived meanwhile is no silence.
        gevent.sleep(0)
        try:
            connection.heartbeat_tick()
        except BROKEN as error:
            connection.fail(error)
            return
