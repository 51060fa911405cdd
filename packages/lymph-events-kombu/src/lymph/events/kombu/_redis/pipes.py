"""One connection to Redis, used by many greenlets at once.

The commands of a loop turn are sent with one write. Replies arrive in the order of the commands,
and the reader passes each to its waiter; messages that Redis pushes arrive between them. An idle
connection is checked with PING after one heartbeat, and is lost after two heartbeats without any
data. A large command or reply may take longer, as long as data arrives.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import redis
from gevent.event import AsyncResult, Event

from lymph.core._system.refusals import made_before_fork
from lymph.core.failures import error_line, log_failure
from lymph.core.greenlets import Greenlet
from lymph.events.kombu._connecting.errors import BrokerError, Unsendable, explain
from lymph.events.kombu._redis.brokers import BROKEN, RedisBroker, system_error
from lymph.events.kombu._redis.connections import CHUNK
from lymph.events.kombu._redis.names import bell
from lymph.events.kombu._redis.scripts import SCRIPTS

__all__ = ['CommandRefused', 'Lost', 'NoAnswer', 'Pipe']

logger = logging.getLogger(__name__)


_PERMIT = "give the user the permissions that lymph-events-kombu's README lists"


class Lost(BrokerError):
    """The connection was lost before the reply; Redis may have run the command."""


class NoAnswer(BrokerError):
    """There was no reply in time on an open connection; Redis may have run the command."""


class CommandRefused(BrokerError):
    """Redis answered a command with an error.

    `reason` is the text of Redis; the error adds the address, and `advice` on what to do.
    """

    def __init__(self, broker: RedisBroker, reason: str, advice: str = '') -> None:
        super().__init__(f'{broker}: {reason}' + (advice and f'; {advice}'))
        self.reason = reason


class Pipe:
    """A connection to `broker`. The reader calls `pushed` with each message that Redis pushes.

    Raises BrokerError if the connection fails.
    """

    def __init__(
        self, broker: RedisBroker, pushed: Callable[[list[Any]], object] | None = None
    ) -> None:
        self._broker = broker
        self._prefix = self._bell = ''
        self._pushed = pushed
        self._connection = broker.connect()
        self._waiting: deque[Callable[[Any], object]] = deque()
        self._out: list[bytes] = []
        self._wake = Event()
        self._lost: AsyncResult[Exception] = AsyncResult()
        self._scripts: dict[str, str] = {}
        self._greenlets = [Greenlet.spawn(self._write), Greenlet.spawn(self._read)]

    def load(self, prefix: str, timeout: float) -> None:
        """Load the scripts, for keys that begin with `prefix`; raises BrokerError."""
        self._prefix = prefix
        self._bell = bell(prefix, self._broker.database)
        for name, text in SCRIPTS.items():
            self._scripts[name] = self.call(timeout, 'SCRIPT', 'LOAD', text).decode()

    def send(self, done: Callable[[Any], object], *command: Any) -> None:
        """Send a command without waiting; `done(reply_or_error)` is called by the reader.

        `done` must not block. The error is a BrokerError. Raises Unsendable for a command that
        cannot be encoded.
        """
        if self._lost.ready():
            done(Lost(f'{self._broker}: the connection was lost'))
            return
        packed = self._pack(*command)
        # Nothing below can fail, so waiters and commands stay in the same order.
        self._waiting.append(done)
        self._out.extend(packed)
        self._wake.set()

    def say(self, *command: Any) -> None:
        """Send a command that has no reply, without waiting. Raises Unsendable."""
        self._out.extend(self._pack(*command))
        self._wake.set()

    def call(self, timeout: float, *command: Any, strict: bool = False) -> Any:
        """Send a command and return the reply; raises NoAnswer, Lost or CommandRefused.

        Waits `timeout` seconds, and again as long as data arrives, such as parts of a large reply;
        with `strict`, only once.
        """
        reply: AsyncResult[Any] = AsyncResult()
        self.send(reply.set, *command)
        while True:
            received = self._connection.received
            reply.wait(timeout)
            if reply.ready():
                break
            if strict or received == self._connection.received:
                raise NoAnswer(f'{self._broker}: no answer within {timeout:g} s')
        # the reader passes errors as values: they are raised here, where somebody waits
        value = reply.get()
        if isinstance(value, BrokerError):
            raise value
        return value

    def script(self, name: str, *args: Any) -> tuple[Any, ...]:
        """Return the command that runs a script of `scripts`."""
        return ('EVALSHA', self._scripts[name], 2, f'{self._prefix}:', self._bell, *args)

    def fail(self, error: Exception) -> None:
        """End the connection with `error`; all waiting commands fail with Lost. Never waits."""
        if self._lost.ready():
            return
        error = system_error(error)
        self._lost.set(error)
        waiting, self._waiting = self._waiting, deque()
        for done in waiting:
            self._hand_over(done, Lost(f'{self._broker}: lost the connection: {explain(error)}'))

    def wait_lost(self) -> Exception:
        """Wait until the connection is lost, and return why."""
        error = self._lost.get()
        assert error is not None
        return error

    def close(self) -> None:
        """Do nothing: callers have waited for the replies that they need."""

    def end(self) -> None:
        """Close the connection; all waiting commands fail with Lost."""
        self.fail(ConnectionResetError('it was closed'))
        gevent.killall(self._greenlets)
        self._connection.disconnect()

    def abandon(self) -> None:
        """Drop the connection in a forked child, without sending anything: the parent uses it."""
        if not self._lost.ready():
            self._lost.set(ConnectionResetError(made_before_fork('connection')))
        self._out.clear()
        self._connection.abandon()

    def _pack(self, *command: Any) -> Sequence[bytes]:
        try:
            packed: Sequence[bytes] = self._connection.pack_command(*command)
        except (ValueError, redis.DataError) as error:
            raise Unsendable(f'{command[0]} cannot be sent: {error_line(error)}') from error
        return packed

    def _write(self) -> None:
        try:
            while True:
                if not self._wake.wait(self._broker.heartbeat or None) and not self._waiting:
                    self.send(_ignore, 'PING')
                self._wake.clear()
                out, self._out = self._out, []
                if out:
                    self._connection.send_packed_command(_chunks(b''.join(out)), check_health=False)
        except Exception as error:  # noqa: BLE001 - after any error nothing more can be sent
            self._break(error)

    def _read(self) -> None:
        try:
            while True:
                reply = self._reply()
                if self._pushed is not None and isinstance(reply, list):
                    self._pushed(reply)  # no command on this connection replies with a list
                else:
                    self._hand_over(self._waiting.popleft(), reply)
        except Exception as error:  # noqa: BLE001 - after any error replies cannot be matched
            self._break(error)

    def _hand_over(self, done: Callable[[Any], object], reply: Any) -> None:
        try:
            done(reply)
        except Exception as error:  # noqa: BLE001 - other greenlets wait for their replies
            log_failure(logger, error, '%s: cannot take a reply', self._broker)

    def _break(self, error: Exception) -> None:
        if self._lost.ready():
            return
        # IndexError: a reply without a command
        if not isinstance(error, (*BROKEN, BrokerError, IndexError)):
            log_failure(logger, error, '%s: the connection is made anew', self._broker)
        self.fail(error)

    def _reply(self) -> Any:
        try:
            return self._connection.read_response(push_request=True)
        except redis.ReadOnlyError:
            raise BrokerError(
                'expected a primary, found a read-only replica; use the address of the primary'
            ) from None
        except redis.exceptions.NoScriptError:
            raise  # the next connection loads the scripts again
        except redis.ResponseError as error:
            if not self._connection.is_open:
                raise
            forbidden = isinstance(error, redis.exceptions.NoPermissionError)
            return CommandRefused(self._broker, explain(error), _PERMIT if forbidden else '')


def _chunks(data: bytes) -> Sequence[bytes | memoryview]:
    """Split `data` into pieces of at most CHUNK bytes; each may take the time of one write."""
    if len(data) <= CHUNK:
        return [data]
    view = memoryview(data)
    return [view[at : at + CHUNK] for at in range(0, len(view), CHUNK)]


def _ignore(reply: Any) -> None:
    pass
