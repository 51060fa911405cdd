"""One connection to Redis, used by many greenlets at once.

Commands leave together: all those of a loop turn are one write. Replies come in the order of the
commands, and each is handed to whoever waits for it. What Redis pushes (the bells) comes between
them. A connection that says nothing for two heartbeats is lost; when it is idle, it is asked.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import redis
from gevent import socket
from gevent.event import AsyncResult, Event

from lymph.core.failures import error_line, log_failure
from lymph.core.greenlets import Greenlet
from lymph.events.kombu.errors import BrokerError, Unsendable, explain
from lymph.events.kombu.redis.brokers import BROKEN, RedisBroker
from lymph.events.kombu.redis.scripts import SCRIPTS

__all__ = ['Lost', 'Pipe', 'Refused']

logger = logging.getLogger(__name__)

_PUSHED = object()
_UNFIT = (redis.exceptions.NoScriptError, redis.ReadOnlyError)  # another connection may be better


class Lost(BrokerError):
    """The connection was lost before the answer: it may have been done."""


class Refused(BrokerError):
    """Redis answered that it does not do it."""


class Pipe:
    """A connection to `broker`; `pushed` is called in its reader with each bell that rings.

    Raises BrokerError when it cannot be made.
    """

    def __init__(
        self, broker: RedisBroker, prefix: str, pushed: Callable[[str], object], timeout: float
    ) -> None:
        self._broker = broker
        self._prefix = prefix
        self._bell = f'{prefix}:bell:'
        self._pushed = pushed
        self._connection = broker.connect()
        self._connection._parser.set_pubsub_push_handler(self._push)  # noqa: SLF001
        self._waiting: deque[Callable[[Any], object]] = deque()
        self._out: list[bytes] = []
        self._wake = Event()
        self._lost: AsyncResult[Exception] = AsyncResult()
        self._scripts: dict[str, str] = {}
        self._greenlets: list[Greenlet] = []
        try:
            self._may_listen(timeout)
            self._greenlets = [Greenlet.spawn(self._write), Greenlet.spawn(self._read)]
            for name, text in SCRIPTS.items():
                self._scripts[name] = self.call(timeout, 'SCRIPT', 'LOAD', text).decode()
        except BaseException:
            self.end()
            raise

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

    def listen(self, queue: str, command: str = 'SUBSCRIBE') -> None:
        """Have the bell of a queue pushed, or with UNSUBSCRIBE no more. Never waits."""
        # has no reply of its own
        self._out.extend(self._pack(command, self._bell + queue))
        self._wake.set()

    def call(self, timeout: float | None, *command: Any) -> Any:
        """Send a command and return the reply; raises BrokerError, Lost or Refused."""
        reply: AsyncResult[Any] = AsyncResult()
        self.send(reply.set, *command)
        reply.wait(timeout)
        if not reply.ready():
            raise BrokerError(f'{self._broker}: no answer within {timeout:g} s')
        value = reply.get()
        if isinstance(value, BrokerError):
            raise value
        return value

    def script(self, name: str, *args: Any) -> tuple[Any, ...]:
        """Return the command that runs a script of `scripts`."""
        return ('EVALSHA', self._scripts[name], 1, f'{self._prefix}:', *args)

    def fail(self, error: Exception) -> None:
        """Take the connection for lost. Never waits."""
        if not self._lost.ready():
            self._lost.set(error)

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
        error = self.wait_lost()
        gevent.killall(self._greenlets)
        self._connection.disconnect()
        waiting, self._waiting = self._waiting, deque()
        for done in waiting:
            self._tell(done, Lost(f'{self._broker}: lost the connection: {explain(error)}'))

    def abandon(self) -> None:
        """Let go of it in a forked child: what is sent here would be the parent's."""
        self.fail(ConnectionResetError('the process was forked'))
        self._out.clear()
        if self._connection.sock is not None:
            # the loop still watches the descriptor: it becomes that of a connection which has ended
            ended, other = socket.socketpair()
            os.dup2(ended.fileno(), self._connection.sock.fileno(), inheritable=False)
            ended.close()
            other.close()

    def _pack(self, *command: Any) -> Sequence[bytes]:
        try:
            packed: Sequence[bytes] = self._connection.pack_command(*command)
        except (ValueError, redis.DataError) as error:
            raise Unsendable(f'{command[0]} cannot be sent: {error_line(error)}') from error
        return packed

    def _may_listen(self, timeout: float) -> None:
        """Raise BrokerError where bells are not permitted: later refusals could not be told."""
        try:
            with gevent.Timeout(timeout, TimeoutError('no answer in time')):
                self._connection.send_command('SUBSCRIBE', self._bell)
                self._connection.read_response(push_request=True)
        except BROKEN as error:
            raise BrokerError(
                f'{self._broker}: cannot subscribe to {self._bell}*: {explain(error)}; '
                f'permit the user &{self._bell}* and ~{self._prefix}:*'
            ) from None

    def _write(self) -> None:
        try:
            while True:
                if not self._wake.wait(self._broker.heartbeat or None) and not self._waiting:
                    self.send(_ignore, 'PING')
                self._wake.clear()
                out, self._out = self._out, []
                if out:
                    self._connection.send_packed_command([b''.join(out)], check_health=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more can be sent
            self._break(error)

    def _read(self) -> None:
        try:
            while True:
                reply = self._reply()
                if reply is not _PUSHED:
                    self._tell(self._waiting.popleft(), reply)
        except Exception as error:  # noqa: BLE001 - whatever it is, replies have no order any more
            self._break(error)

    def _tell(self, done: Callable[[Any], object], reply: Any) -> None:
        try:
            done(reply)
        except Exception as error:  # noqa: BLE001 - the others wait for theirs
            log_failure(logger, error, '%s: cannot take a reply', self._broker)

    def _break(self, error: Exception) -> None:
        if not isinstance(error, (*BROKEN, IndexError)):  # IndexError: a reply for nobody
            log_failure(logger, error, '%s: the connection is made anew', self._broker)
        self.fail(error)

    def _reply(self) -> Any:
        try:
            return self._connection.read_response(push_request=True)
        except _UNFIT:
            raise
        except redis.ResponseError as error:
            if self._connection.sock is None:
                raise
            return Refused(f'{self._broker}: {explain(error)}')

    def _push(self, message: list[Any]) -> object:
        if message[0] == b'message':
            self._pushed(message[1].decode(errors='replace').removeprefix(self._bell))
        return _PUSHED


def _ignore(reply: Any) -> None:
    pass
