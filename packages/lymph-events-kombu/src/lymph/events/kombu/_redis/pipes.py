"""One connection to Redis, used by many greenlets at once.

Commands leave together: all those of a loop turn are one write. Replies come in the order of the
commands, and each is handed to whoever waits for it. What Redis pushes comes between them. A
connection that says nothing for two heartbeats is lost; when it is idle, it is asked. A large
command or reply may take longer: only silence counts.
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
    """The connection was lost before the answer: it may have been done."""


class NoAnswer(BrokerError):
    """The connection stands, and there was no answer in time: it may have been done."""


class CommandRefused(BrokerError):
    """Redis answered a command with an error.

    `reason` is the text of Redis; the error adds the address, and `advice` on what to do.
    """

    def __init__(self, broker: RedisBroker, reason: str, advice: str = '') -> None:
        super().__init__(f'{broker}: {reason}' + (advice and f'; {advice}'))
        self.reason = reason


class Pipe:
    """A connection to `broker`; `pushed` is called in its reader with what Redis pushes.

    Raises BrokerError when it cannot be made.
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

        It must not block. The error is a BrokerError. Raises Unsendable for a command that cannot
        be put into bytes.
        """
        if self._lost.ready():
            done(Lost(f'{self._broker}: the connection was lost'))
            return
        packed = self._pack(*command)
        # from here on nothing can fail: who waits and what is sent have the same order
        self._waiting.append(done)
        self._out.extend(packed)
        self._wake.set()

    def say(self, *command: Any) -> None:
        """Send a command that has no reply of its own. Never waits; raises Unsendable."""
        self._out.extend(self._pack(*command))
        self._wake.set()

    def call(self, timeout: float, *command: Any, strict: bool = False) -> Any:
        """Send a command and return the reply; raises NoAnswer, Lost or Refused.

        Redis may take longer than `timeout` seconds for as long as anything arrives, such as a
        large reply; not if `strict`.
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
        value = reply.get()
        if isinstance(value, BrokerError):
            raise value
        return value

    def script(self, name: str, *args: Any) -> tuple[Any, ...]:
        """Return the command that runs a script of `scripts`."""
        return ('EVALSHA', self._scripts[name], 2, f'{self._prefix}:', self._bell, *args)

    def fail(self, error: Exception) -> None:
        """Take the connection for lost; whoever waits is told. Never waits."""
        if self._lost.ready():
            return
        error = system_error(error)
        self._lost.set(error)
        waiting, self._waiting = self._waiting, deque()
        for done in waiting:
            self._tell(done, Lost(f'{self._broker}: lost the connection: {explain(error)}'))

    def wait_lost(self) -> Exception:
        """Wait until the connection is lost, and return why."""
        error = self._lost.get()
        assert error is not None
        return error

    def close(self) -> None:
        """Do nothing: what was sent and matters was waited for."""

    def end(self) -> None:
        """Let go of the connection; whoever waits is told that it was lost."""
        self.fail(ConnectionResetError('it was closed'))
        gevent.killall(self._greenlets)
        self._connection.disconnect()

    def abandon(self) -> None:
        """Let go of it in a forked child: what is sent here would be the parent's."""
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
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more can be sent
            self._break(error)

    def _read(self) -> None:
        try:
            while True:
                reply = self._reply()
                if self._pushed is not None and isinstance(reply, list):
                    self._pushed(reply)  # over this connection no command has a list as its reply
                else:
                    self._tell(self._waiting.popleft(), reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, replies have no order any more
            self._break(error)

    def _tell(self, done: Callable[[Any], object], reply: Any) -> None:
        try:
            done(reply)
        except Exception as error:  # noqa: BLE001 - the others wait for theirs
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
    """Return what is sent piece by piece, each with the time of one write."""
    if len(data) <= CHUNK:
        return [data]
    view = memoryview(data)
    return [view[at : at + CHUNK] for at in range(0, len(view), CHUNK)]


def _ignore(reply: Any) -> None:
    pass
