"""A connection to RabbitMQ that is restored after a loss, with its reader and its heartbeats.

A greenlet of its own sends heartbeats, so that neither an idle nor a busy connection is lost for
lack of them. A peer counts as dead after two intervals of silence. Source: RabbitMQ's guide
"Detecting Dead TCP Connections with Heartbeats".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import gevent

from lymph.core.failures import log_failure
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.connection_states import ConnectionTracker
from lymph.core.monitoring.log_limits import Reminder
from lymph.events.kombu._connecting.errors import BROKEN, BrokerError, explain
from lymph.events.kombu._connecting.reconnecting import Reconnecting
from lymph.events.kombu._rabbitmq.brokers import Broker
from lymph.events.kombu._rabbitmq.channels import AmqpChannel, AmqpConnection

__all__ = ['RabbitmqLink']

logger = logging.getLogger(__name__)

_HEARTBEATS = 4  # checks per heartbeat interval


def _nothing() -> None:
    pass


class RabbitmqLink(Reconnecting[Broker, AmqpConnection]):
    """Keeps one connection to one of `brokers`; `purpose` names it in the log.

    `prepare(connection)` is called with each new connection before any other use, and may wait. Its
    errors count as a failed connection. `on_down()` is called when the connection is lost, and must
    not wait. `shuffle`, `reminder` and `tracker` are as in `Reconnecting`.
    """

    def __init__(
        self,
        purpose: str,
        brokers: Sequence[Broker],
        prepare: Callable[[AmqpConnection], object],
        on_down: Callable[[], object] = _nothing,
        shuffle: bool = False,
        reminder: Reminder | None = None,
        tracker: ConnectionTracker | None = None,
    ) -> None:
        super().__init__(purpose, brokers, on_down, shuffle, reminder, tracker)
        self._prepare = prepare
        self._greenlets: list[Greenlet] = []

    def abandon(self) -> None:
        """Stop using the connection in a forked child, without sending anything to the broker."""
        self._abandoned = True
        if self.connection is not None:
            self.connection.abandon()

    @contextmanager
    def channel(self, timeout: float = 0) -> Iterator[AmqpChannel]:
        """Open a channel for the duration of a `with` block.

        Waits up to `timeout` seconds for a connection (0 by default). Raises BrokerError when there
        is none, and in place of py-amqp's errors and OSError within the block; WrongThread in
        another native thread.
        """
        self.expect_own_thread()
        self.up.wait(timeout)
        connection = self.connection
        if connection is None:
            raise BrokerError(f'no connection: {self.trouble}')
        try:
            channel: AmqpChannel = connection.channel()
            try:
                yield channel
            finally:
                with suppress(*BROKEN):
                    channel.close()
        except BROKEN as error:
            raise BrokerError(f'{self.broker}: {explain(error)}') from error

    def _open(self, broker: Broker) -> AmqpConnection:
        connection = broker.connect()
        self._greenlets = [
            Greenlet.spawn(_read, connection),
            Greenlet.spawn(_keep_alive, connection),
        ]
        try:
            self._prepare(connection)
        except BaseException as error:
            self._abandon(connection)
            self._on_down()  # publishers may have used it already and wait for confirms
            if isinstance(error, BROKEN):
                raise BrokerError(f'{broker}: {explain(error)}') from error
            raise
        return connection

    def _abandon(self, connection: AmqpConnection) -> None:
        connection.collect()
        gevent.killall(self._greenlets)
        self._greenlets = []


def _read(connection: AmqpConnection) -> None:
    """Read until the connection ends, and end it with the reason."""
    try:
        connection.read()
    except BROKEN as error:
        connection.fail(error)
    except Exception as error:  # noqa: BLE001 - py-amqp may fail on any data that it reads
        log_failure(logger, error, 'cannot understand the broker')
        connection.fail(error)
    else:
        connection.fail(ConnectionResetError('the connection broke'))


def _keep_alive(connection: AmqpConnection) -> None:
    """Send heartbeats, and end the connection when those of the broker are missing."""
    interval = connection.heartbeat / _HEARTBEATS
    if not interval:
        return
    while True:
        gevent.sleep(interval)
        # After a blocked loop, the reader runs first and counts what has arrived meanwhile.
        gevent.sleep(0)
        try:
            connection.heartbeat_tick()
        except Exception as error:  # noqa: BLE001 - without heartbeats the broker ends it anyway
            if not isinstance(error, BROKEN):
                log_failure(logger, error, 'cannot send heartbeats')
            connection.fail(error)
            return
