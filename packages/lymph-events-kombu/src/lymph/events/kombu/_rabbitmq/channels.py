"""One connection to RabbitMQ that many greenlets use at once, over py-amqp.

py-amqp lets each caller that waits for a reply read the socket. Here one greenlet reads
(`AmqpConnection.read`), and all others wait until it has read their reply:

- Methods without a reply (publish, ack, nack) may be sent from any greenlet and from the hub, and
  never wait: `send` and `acknowledge`.
- Methods with a reply wait; of each kind one at a time on a channel, never in the reader.
- When a channel ends, each caller that waits for a reply on it gets the error, and `on_closed` is
  called with it once. py-amqp would open the channel again, but the delivery tags that are out
  would then mean other messages.

These classes use what py-amqp's reference documents, and need a standard library that gevent has
patched. `fast_channels` has faster ones, for versions of py-amqp that it knows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import amqp
import gevent
from amqp.exceptions import ChannelError, RecoverableConnectionError
from gevent import getcurrent, socket
from gevent.event import AsyncResult, Event
from gevent.lock import RLock
from gevent.monkey import is_module_patched
from kombu.transport import pyamqp

from lymph.core.greenlets import Greenlet
from lymph.events.kombu._rabbitmq import frames

__all__ = ['CLOSED', 'AmqpChannel', 'AmqpConnection']

CLOSED = RecoverableConnectionError('the connection was closed')
#: Seconds in which the broker may send nothing to a caller that waits for a reply; a quorum queue
#: that elects a leader may take a while.
_REPLY_TIMEOUT = 30.0
#: Seconds that a caller waits for a reply while other frames arrive. Replies come behind what was
#: sent before them, which over a slow connection may be many messages.
_LONGEST_WAIT = 300.0


class AmqpChannel(pyamqp.Channel):
    """A channel of one owner; `on_closed` is called with the error when it ends by itself."""

    def __init__(self, connection: AmqpConnection, channel_id: Any = None, **kwargs: Any) -> None:
        self.on_closed: Callable[[Exception], None] | None = None
        self._reason: Exception | None = None
        self._was_opened = False
        # bodies are bytes, and stay so
        super().__init__(connection, channel_id, **{**kwargs, 'auto_decode': False})

    @property
    def usable(self) -> bool:
        """Whether methods sent on it may still reach the broker."""
        connection = self.connection
        return bool(connection and connection.connected and self.is_open and not self.is_closing)

    def publication(
        self, message: amqp.Message, exchange: str, routing_key: str, mandatory: bool
    ) -> Any:
        """Return what publishes a message when it is given to `send`.

        Raises ValueError for a message that AMQP or lymph's frames cannot carry, and AMQPError when
        the channel is closed.
        """
        limit = self.open_connection().frame_max
        frames.publish(self.channel_id, message, exchange, routing_key, mandatory, limit)
        return partial(self.basic_publish, message, exchange, routing_key, mandatory)

    def send(self, publication: Any) -> None:
        """Send a publication without waiting; raises AMQPError or OSError when that is in vain."""
        self.open_connection().soon(publication)

    def acknowledge(self, tag: int, multiple: bool = False) -> None:
        """Acknowledge a delivery, or with `multiple` all up to it, without waiting."""
        self.open_connection().soon(partial(self.basic_ack, tag, multiple))

    def open_connection(self) -> Any:
        """Return the connection; raises AMQPError when the channel or the connection is closed."""
        if self.connection is None:
            raise CLOSED
        return self.connection

    def send_method(self, *args: Any, wait: Any = None, **kwargs: Any) -> Any:
        """Send a method, whole; with `wait`, wait for one of the methods in reply."""
        with self.open_connection().writing:
            sent = super().send_method(*args, **kwargs)
        if not wait:
            return sent
        return self.wait(wait, returns_tuple=kwargs.get('returns_tuple', False))

    def wait(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for the reply to a method that was sent, and return its arguments.

        Raises the AMQPError with which the channel or the connection ended. The connection ends
        when the broker sends nothing for 30 s, or other things than the reply for 300 s.
        """
        connection = self.open_connection()
        try:
            return connection.bounded(super().wait, method, *args, **kwargs)
        except RecoverableConnectionError as error:
            raise self._reason or connection.reason or error from None

    def open(self) -> Any:
        """Open the channel, once.

        py-amqp calls this again for a channel that the broker has closed, before it raises the
        error in the reader.
        """
        if self._was_opened:
            self.connection.note_closed(self)
            return None
        self._was_opened = True
        return super().open()

    def end(self, error: Exception) -> None:
        """Forget the channel, which the broker has closed with an error."""
        self._reason = error
        self.collect()

    def fail(self, error: Exception) -> None:
        """End the connection, which is made again: its state here is not understood."""
        if self.connection is not None:
            self.connection.fail(error)

    def collect(self) -> None:
        """Forget the channel, which is closed."""
        connection = self.connection
        super().collect()
        on_closed, self.on_closed = self.on_closed, None
        if on_closed is not None:
            on_closed(self._reason or (connection and connection.reason) or CLOSED)


class AmqpConnection(pyamqp.Connection):
    """A connection that a reader and two more greenlets of its owner keep; see `links`."""

    Channel = AmqpChannel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lost: AsyncResult[Exception] = AsyncResult()
        self.blocked = False  # the broker takes no messages from us: RabbitMQ's connection.blocked
        self.why_blocked: AsyncResult[str] = AsyncResult()  # the broker's words for the first time
        self.heartbeats = 0  # those that have come, where they are told from other frames
        self.when_unblocked: list[Callable[[], object]] = []
        self.writing: Any = RLock()  # a method at a time
        self._shared = False  # no longer in the hands of the one greenlet that connects
        self._reader: Any = None
        self._replies: list[Event] = []  # set when a method has arrived
        self._closed_channel: AmqpChannel | None = None
        self._unsent: list[Callable[[], object]] = []
        self._wake = Event()
        self._writer: Greenlet | None = None
        kwargs = {'on_blocked': self.block, 'on_unblocked': self.unblock, **kwargs}
        super().__init__(*args, **kwargs)

    def connect(self, callback: Any = None) -> None:
        """Connect and shake hands; raises OSError or AMQPError, and then leaves nothing open."""
        late = TimeoutError(f'no answer within {self.connect_timeout or 0:g} s')
        try:
            self.prepare()
            with gevent.Timeout(self.connect_timeout, late):
                super().connect(callback)
            self._shared = True
        except BaseException:
            self.collect()
            raise

    def prepare(self) -> None:
        """Check that py-amqp's sockets wait in gevent; raises OSError."""
        if not is_module_patched('socket'):
            raise OSError(
                'this version of py-amqp needs a patched standard library; call '
                'lymph.monkey.patch() before other imports'
            )
        self._writer = Greenlet.spawn(self._write)

    def soon(self, call: Callable[[], object]) -> None:
        """Run `call`, which sends something, in a greenlet that may wait; raises OSError."""
        if not self.connected:
            raise BrokenPipeError('the connection is closed')
        self._unsent.append(call)
        self._wake.set()

    def send_heartbeat(self) -> None:
        """Send a heartbeat, between two methods."""
        with self.writing:
            super().send_heartbeat()

    # Reading.

    def read(self) -> None:
        """Read until the connection ends; called by its one reader.

        Raises OSError or AMQPError when it breaks, anything else when it cannot be understood.
        """
        self._reader = getcurrent()
        next_frame = self.frames()
        while self.connected:
            try:
                complete = next_frame()
            except ChannelError as error:
                channel, self._closed_channel = self._closed_channel, None
                if channel is None:
                    raise
                channel.end(error)
                complete = True
            if complete and self._replies:
                self._wake_all()

    def frames(self) -> Callable[[], bool]:
        """Return what reads a frame and tells whether a method is complete with it."""
        return self.blocking_read  # type: ignore[no-any-return]  # py-amqp has no types

    def drain_events(self, timeout: float | None = None) -> None:
        """Return when another method has arrived; py-amqp calls this to wait for a reply.

        Raises TimeoutError after `timeout` seconds, or the error with which the connection ends.
        """
        if not self._shared or self._reader is getcurrent():
            super().drain_events(timeout)  # while it shakes hands
            return
        if self.lost.ready():
            raise self.wait_lost()
        reply = Event()
        self._replies.append(reply)
        while True:
            heard = self.heard
            if reply.wait(_REPLY_TIMEOUT if timeout is None else timeout):
                return
            if timeout is not None:
                raise TimeoutError(f'nothing within {timeout:g} s')
            if heard == self.heard:
                self.fail(RecoverableConnectionError(f'no reply within {_REPLY_TIMEOUT:g} s'))
                raise self.wait_lost()

    def wait(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for a reply of the connection itself; see `AmqpChannel.wait`."""
        return self.bounded(super().wait, method, *args, **kwargs)

    def bounded(self, wait: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return `wait(...)`; if that takes too long, the connection ends.

        A late reply would be taken for the reply to the next method.
        """
        late = RecoverableConnectionError(f'no reply within {_LONGEST_WAIT:g} s')
        try:
            with gevent.Timeout(_LONGEST_WAIT, late):
                return wait(*args, **kwargs)
        except RecoverableConnectionError as error:
            if error is late:
                self.fail(error)
            raise

    def note_closed(self, channel: AmqpChannel) -> None:
        """Note which channel the error concerns that py-amqp raises next."""
        self._closed_channel = channel

    # Its end.

    @property
    def heard(self) -> int:
        """The number of frames that have come, without heartbeats as far as these are counted."""
        frames: int = self.bytes_recv  # py-amqp counts frames by that name
        return frames - self.heartbeats

    @property
    def reason(self) -> Exception | None:
        """Why it ended; None while it is open."""
        return self.lost.get() if self.lost.ready() else None

    def wait_lost(self) -> Exception:
        """Wait until it ends and return why."""
        return self.lost.get() or CLOSED

    def fail(self, error: Exception) -> None:
        """Tell the owner, and all who wait for a reply, that this is the end. Never waits."""
        if not self.lost.ready():
            self.lost.set(error)
            self._wake_all()

    def collect(self) -> None:
        """Close the socket and forget all channels."""
        self.fail(CLOSED)
        if self._writer is not None:
            self._writer.kill(block=False)
        super().collect()

    def abandon(self) -> None:
        """Let go of the connection in a forked child: what is sent here would be the parent's."""
        self._unsent.clear()
        # The loop still watches the descriptor: it becomes that of a connection which has ended.
        ended, other = socket.socketpair()
        os.dup2(ended.fileno(), self.sock.fileno(), inheritable=False)
        ended.close()
        other.close()

    def block(self, reason: object) -> None:
        """Note that the broker takes no messages, and why."""
        self.blocked = True
        if not self.why_blocked.ready():
            self.why_blocked.set(str(reason))

    def unblock(self) -> None:
        """Note that the broker takes messages again."""
        self.blocked = False
        for callback in self.when_unblocked:
            callback()

    def _wake_all(self) -> None:
        replies, self._replies = self._replies, []
        for reply in replies:
            reply.set()

    def _write(self) -> None:
        try:
            while True:
                self._wake.wait()
                self._wake.clear()
                unsent, self._unsent = self._unsent, []
                for call in unsent:
                    call()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing more can be sent
            self.fail(error)
