"""One connection to RabbitMQ that many greenlets use at once, over py-amqp.

In py-amqp, each caller that waits for a reply reads the socket. Here one greenlet reads
(`AmqpConnection.read`), and all others wait until it has read their reply:

- Methods without a reply (publish, ack, nack) may be sent from any greenlet and from the hub, and
  never wait: `send` and `acknowledge`.
- Methods with a reply wait. Only one of each kind may wait on a channel, and never in the reader.
- When a channel ends, each caller that waits for a reply on it gets the error, and `on_closed` is
  called with it once. py-amqp would open the channel again, but then the delivery tags in use would
  refer to other messages.

These classes use only what py-amqp documents, and require that gevent has patched the standard
library. `fast_channels` has faster versions for known versions of py-amqp.
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
#: Seconds that a caller waits for a reply while other frames arrive. A reply comes after everything
#: that the broker sent before it: many messages, perhaps, over a slow connection.
_LONGEST_WAIT = 300.0


class AmqpChannel(pyamqp.Channel):
    """A channel of one owner.

    The attribute `on_closed`, a callback or None, is called with the error when the broker closes
    the channel or the connection is lost.
    """

    def __init__(self, connection: AmqpConnection, channel_id: Any = None, **kwargs: Any) -> None:
        self.on_closed: Callable[[Exception], None] | None = None
        self._reason: Exception | None = None
        self._was_opened = False
        # py-amqp must not decode bodies to text
        super().__init__(connection, channel_id, **{**kwargs, 'auto_decode': False})

    @property
    def usable(self) -> bool:
        """Whether methods that are sent now can still reach the broker."""
        connection = self.connection
        return bool(connection and connection.connected and self.is_open and not self.is_closing)

    def publication(
        self, message: amqp.Message, exchange: str, routing_key: str, mandatory: bool
    ) -> Any:
        """Return an object that publishes a message when it is passed to `send`.

        Raises ValueError for a message that cannot be encoded (see `frames.publish`), and AMQPError
        when the channel is closed.
        """
        limit = self.open_connection().frame_max
        frames.publish(self.channel_id, message, exchange, routing_key, mandatory, limit)
        return partial(self.basic_publish, message, exchange, routing_key, mandatory)

    def send(self, publication: Any) -> None:
        """Send a publication without waiting.

        Raises AMQPError when the channel is closed, and OSError when the connection is.
        """
        self.open_connection().soon(publication)

    def acknowledge(self, tag: int, multiple: bool = False) -> None:
        """Acknowledge a delivery, or with `multiple` all up to it, without waiting.

        `tag` is the delivery tag. Raises as `send` does.
        """
        self.open_connection().soon(partial(self.basic_ack, tag, multiple))

    def open_connection(self) -> Any:
        """Return the connection; raises AMQPError when the channel or the connection is closed."""
        if self.connection is None:
            raise CLOSED
        return self.connection

    def send_method(self, *args: Any, wait: Any = None, **kwargs: Any) -> Any:
        """Send a method without interleaving others; with `wait`, return the reply.

        Raises AMQPError when the channel is closed, and as `wait` does.
        """
        with self.open_connection().writing:
            sent = super().send_method(*args, **kwargs)
        if not wait:
            return sent
        return self.wait(wait, returns_tuple=kwargs.get('returns_tuple', False))

    def wait(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        """Wait for the reply to a method that was sent, and return its arguments.

        Raises the error with which the channel or the connection ended, as a rule an AMQPError. The
        connection ends when nothing arrives for 30 s, or when the reply does not arrive for 300 s.
        """
        connection = self.open_connection()
        try:
            return connection.bounded(super().wait, method, *args, **kwargs)
        except RecoverableConnectionError as error:
            raise self._reason or connection.reason or error from None

    def open(self) -> Any:
        """Open the channel; later calls do not open it again.

        py-amqp calls this again when the broker has closed the channel, just before it raises the
        error in the reader.
        """
        if self._was_opened:
            self.connection.note_closed(self)
            return None
        self._was_opened = True
        return super().open()

    def end(self, error: Exception) -> None:
        """Release the channel after the broker has closed it with an error."""
        self._reason = error
        self.collect()

    def fail(self, error: Exception) -> None:
        """End the connection, so that a new one is made: the state of the channel is unknown."""
        if self.connection is not None:
            self.connection.fail(error)

    def collect(self) -> None:
        """Release the channel after its end, and call `on_closed`."""
        connection = self.connection
        super().collect()
        on_closed, self.on_closed = self.on_closed, None
        if on_closed is not None:
            on_closed(self._reason or (connection and connection.reason) or CLOSED)


class AmqpConnection(pyamqp.Connection):
    """A connection whose owner runs its reader and its heartbeats in greenlets; see `links`.

    ===============  ============================================================================
    blocked          whether the broker accepts no messages from us (connection.blocked)
    why_blocked      result: the broker's reason when it blocked the connection first
    when_unblocked   callbacks for the end of a block
    lost             result: the error with which the connection ended
    ===============  ============================================================================
    """

    Channel = AmqpChannel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lost: AsyncResult[Exception] = AsyncResult()
        self.blocked = False
        self.why_blocked: AsyncResult[str] = AsyncResult()
        self.heartbeats = 0  # heartbeats received; only the fast connection counts them
        self.when_unblocked: list[Callable[[], object]] = []
        self.writing: Any = RLock()  # held while a method is sent
        self._shared = False  # whether the handshake is over, so that several greenlets use it
        self._reader: Any = None
        self._replies: list[Event] = []  # set when a method has arrived
        self._closed_channel: AmqpChannel | None = None
        self._unsent: list[Callable[[], object]] = []
        self._wake = Event()
        self._writer: Greenlet | None = None
        kwargs = {'on_blocked': self.block, 'on_unblocked': self.unblock, **kwargs}
        super().__init__(*args, **kwargs)

    def connect(self, callback: Any = None) -> None:
        """Connect and make the handshake within the connect timeout.

        Raises OSError or AMQPError when that fails; then nothing is left open.
        """
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
        """Start the writer; raises OSError if py-amqp's sockets would block the hub."""
        if not is_module_patched('socket'):
            raise OSError(
                'this version of py-amqp needs a patched standard library; call '
                'lymph.monkey.patch() before other imports'
            )
        self._writer = Greenlet.spawn(self._write)

    def soon(self, call: Callable[[], object]) -> None:
        """Run `call`, which sends something, in the writer, a greenlet that may wait.

        Raises BrokenPipeError, an OSError, when the connection is closed.
        """
        if not self.connected:
            raise BrokenPipeError('the connection is closed')
        self._unsent.append(call)
        self._wake.set()

    def send_heartbeat(self) -> None:
        """Send a heartbeat, never within the frames of a method."""
        with self.writing:
            super().send_heartbeat()

    # Reading.

    def read(self) -> None:
        """Read until the connection ends. Only one greenlet, the reader, may call this.

        Raises OSError or AMQPError when the connection breaks; any other error means that the data
        cannot be understood.
        """
        self._reader = getcurrent()
        next_frame = self.frames()
        while self.connected:
            try:
                complete = next_frame()
            except ChannelError as error:
                # The broker has closed a channel, but not the connection. py-amqp raises that here,
                # in the reader, whichever channel it was.
                channel, self._closed_channel = self._closed_channel, None
                if channel is None:
                    raise
                channel.end(error)
                # the frame was a complete method: wake those who wait for a reply over the channel
                complete = True
            if complete and self._replies:
                self._wake_all()

    def frames(self) -> Callable[[], bool]:
        """Return a function that reads one frame and returns whether it completes a method."""
        return self.blocking_read  # type: ignore[no-any-return]  # py-amqp has no types

    def drain_events(self, timeout: float | None = None) -> None:
        """Return when another method has arrived; py-amqp calls this to wait for a reply.

        Raises TimeoutError after `timeout` seconds, and the error with which the connection ends.
        Without a timeout, the connection ends when nothing arrives for 30 s.
        """
        if not self._shared or self._reader is getcurrent():
            super().drain_events(timeout)  # during the handshake
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
        """Wait for a reply to a method of the connection itself; raises as `AmqpChannel.wait`."""
        return self.bounded(super().wait, method, *args, **kwargs)

    def bounded(self, wait: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return `wait(...)`; end the connection if this takes more than 300 s.

        Otherwise a late reply would be taken for the reply to the next method. Raises the errors of
        `wait`, and RecoverableConnectionError, an AMQPError, after 300 s.
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
        """Note the channel of the error that py-amqp raises next in the reader."""
        self._closed_channel = channel

    # Its end.

    @property
    def heard(self) -> int:
        """The number of frames received, without the heartbeats that are counted."""
        frames: int = self.bytes_recv  # in spite of its name, py-amqp counts frames here
        return frames - self.heartbeats

    @property
    def reason(self) -> Exception | None:
        """The error with which the connection ended; None while it is open."""
        return self.lost.get() if self.lost.ready() else None

    def wait_lost(self) -> Exception:
        """Wait until the connection ends, and return the error."""
        return self.lost.get() or CLOSED

    def fail(self, error: Exception) -> None:
        """End the connection with `error` for its owner and all waiting callers. Never waits."""
        if not self.lost.ready():
            self.lost.set(error)
            self._wake_all()

    def collect(self) -> None:
        """Close the socket and release all channels."""
        self.fail(CLOSED)
        if self._writer is not None:
            self._writer.kill(block=False)
        super().collect()

    def abandon(self) -> None:
        """Stop using the connection in a forked child, which shares it with the parent."""
        self._unsent.clear()
        # The loop still watches the descriptor, so it is replaced by that of an ended connection.
        ended, other = socket.socketpair()
        os.dup2(ended.fileno(), self.sock.fileno(), inheritable=False)
        ended.close()
        other.close()

    def block(self, reason: object) -> None:
        """Note that the broker accepts no messages, and its reason."""
        self.blocked = True
        if not self.why_blocked.ready():
            self.why_blocked.set(str(reason))

    def unblock(self) -> None:
        """Note that the broker accepts messages again, and call `when_unblocked`."""
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
        except Exception as error:  # noqa: BLE001 - after any error the stream is incomplete
            self.fail(error)
