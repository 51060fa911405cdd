"""py-amqp's connection and channel, made to be used by many greenlets at once.

py-amqp lets whoever waits for a reply read the socket. Here one greenlet reads (`links`), and a
greenlet that waits for a reply sleeps until the reader has it:

- Methods without a reply (publish, ack, nack) may be sent from anywhere and never wait; `send` and
  `acknowledge` are the ways of every event.
- Methods with a reply wait; of each kind one at a time on a channel, never in the reader.
- A channel that ends, for whatever reason, fails everybody who waits for a reply on it and calls
  `on_closed` with the error once. It is never opened again: py-amqp would, and the delivery tags of
  the old one would mean other messages.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import amqp
import gevent
from amqp import spec
from amqp.exceptions import ChannelError, RecoverableConnectionError, error_for_code
from gevent.event import AsyncResult
from kombu.transport import pyamqp

from lymph.events.kombu._rabbitmq import frames
from lymph.events.kombu._rabbitmq.inbound import arguments, frame_handler
from lymph.events.kombu._rabbitmq.wire import Wire

__all__ = ['Channel', 'Connection', 'Transport']

_CLOSED = RecoverableConnectionError('the connection was closed')
_BLOCKED = spec.method(spec.Connection.Blocked, 's')
_CLOSING = (spec.Channel.Close, spec.Channel.CloseOk)
#: Seconds in which the broker may send nothing to who waits for a reply; a quorum queue that elects
#: a leader may take a while.
_REPLY_TIMEOUT = 30.0
#: Seconds that a reply is waited for while other frames come. Replies stand behind what was sent
#: before them, which over a slow connection may be many messages.
_LONGEST_WAIT = 300.0


class _Replies:
    """Waits for replies without reading."""

    connection: Any
    _pending: dict[tuple[int, int], Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._waiting: set[AsyncResult[Any]] = set()
        super().__init__(*args, **kwargs)

    def wait(
        self,
        method: Any,
        callback: Any = None,
        timeout: float | None = None,
        returns_tuple: bool = False,
    ) -> Any:
        """Wait for the reply to a method that was sent, and return its arguments."""
        if self.connection is None:
            raise _CLOSED
        reply: AsyncResult[tuple[Any, ...]] = AsyncResult()

        def arrived(signature: tuple[int, int], *args: Any) -> None:
            reply.set(args)

        methods = method if isinstance(method, list) else [method]
        self._pending.update(dict.fromkeys(methods, arrived))
        self._waiting.add(reply)
        try:
            seconds = self._wait_for(reply, timeout)
            if not reply.ready():
                raise self._silence(methods, seconds)
            args = reply.get()
        finally:
            self._waiting.discard(reply)
            for each in methods:
                self._pending.pop(each, None)
        return args if returns_tuple else (args and args[0])

    def _wait_for(self, reply: AsyncResult[Any], timeout: float | None) -> float:
        """Wait until there is a reply or no hope for one; returns the seconds that this took."""
        began = time.monotonic()
        while self.connection is not None:
            heard = self.connection.heard
            reply.wait(timeout or _REPLY_TIMEOUT)
            waited = time.monotonic() - began
            silent = self.connection is None or self.connection.heard == heard
            if reply.ready() or timeout or silent or waited >= _LONGEST_WAIT:
                break
        return time.monotonic() - began

    def _silence(self, methods: list[tuple[int, int]], seconds: float) -> Exception:
        # A late reply would be taken for the reply to what is sent next, so this is the end.
        error: Exception = RecoverableConnectionError(
            f'no reply to method {methods[0]} within {seconds:.3g} s'
        )
        if self.connection is not None:
            self.connection.fail(error)
        return error

    def fail_waiting(self, error: Exception) -> None:
        """Raise `error` in whoever waits for a reply. Never waits."""
        for reply in tuple(self._waiting):
            reply.set_exception(error)


class Channel(_Replies, pyamqp.Channel):
    """A channel of one owner; `on_closed` is called with the error when it ends by itself."""

    def __init__(self, connection: Connection, channel_id: Any = None, **kwargs: Any) -> None:
        self.on_closed: Callable[[Exception], None] | None = None
        self._reason: Exception | None = None
        # bodies are bytes, and stay so
        super().__init__(connection, channel_id, **{**kwargs, 'auto_decode': False})

    @property
    def usable(self) -> bool:
        """Whether methods sent on it may still reach the broker."""
        connection = self.connection
        return bool(connection and connection.connected and self.is_open and not self.is_closing)

    def publication(
        self, message: amqp.Message, exchange: str, routing_key: str, mandatory: bool
    ) -> bytes:
        """Return the frames that publish a message, to be given to `send`.

        Raises ValueError for a message that has none, and AMQPError when the channel is closed.
        """
        limit = self._standing().frame_max
        return frames.publish(self.channel_id, message, exchange, routing_key, mandatory, limit)

    def send(self, data: bytes) -> None:
        """Send whole frames; raises OSError when the connection is broken. Never waits."""
        self._standing().write(data)

    def acknowledge(self, tag: int, multiple: bool = False) -> None:
        """Acknowledge a delivery, or with `multiple` all up to it. Never waits."""
        self._standing().write(frames.acknowledge(self.channel_id, tag, multiple))

    def _standing(self) -> Connection:
        if self.connection is None:
            raise _CLOSED
        connection: Connection = self.connection
        return connection

    def dispatch_method(self, method_sig: tuple[int, int], payload: bytes, content: Any) -> None:
        """Take what the reader has read for this channel."""
        if self.is_closing and method_sig not in _CLOSING:
            return  # py-amqp ignores it, too, with a line in the log
        if content is None:
            super().dispatch_method(method_sig, payload, content)
        else:
            # py-amqp expects names and keys to be UTF-8, and RabbitMQ does not
            args = (*arguments(method_sig, payload), content)
            listener = self._callbacks.get(method_sig)
            if listener is not None:
                listener(*args)
            one_shot = self._pending.pop(method_sig, None)
            if one_shot is not None:
                one_shot(method_sig, *args)

    def fail(self, error: Exception) -> None:
        """Have the connection made anew: this end of it is in a state that nobody foresaw."""
        if self.connection is not None:
            self.connection.fail(error)

    def collect(self) -> None:
        """Forget the channel, which is closed."""
        connection = self.connection
        super().collect()
        error = self._reason or (connection and connection.reason) or _CLOSED
        self.fail_waiting(error)
        on_closed, self.on_closed = self.on_closed, None
        if on_closed is not None:
            on_closed(error)

    def _on_close(self, reply_code: int, reply_text: str, class_id: int, method_id: int) -> None:
        self._reason = error_for_code(reply_code, reply_text, (class_id, method_id), ChannelError)
        self.send_method(spec.Channel.CloseOk)
        self.collect()


class Connection(_Replies, pyamqp.Connection):
    """A connection; `lost` is given the error when it ends."""

    Channel = Channel

    # py-amqp does not read the reason of a block
    _METHODS: ClassVar[dict[Any, Any]] = {
        **pyamqp.Connection._METHODS,  # noqa: SLF001
        spec.Connection.Blocked: _BLOCKED,
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.lost: AsyncResult[Exception] = AsyncResult()
        self.blocked = False  # the broker takes no messages from us: RabbitMQ's connection.blocked
        self.why_blocked: AsyncResult[str] = AsyncResult()  # the broker's words for the first time
        self.heartbeats = 0  # those that have come
        self.when_unblocked: list[Callable[[], object]] = []
        super().__init__(*args, **{**kwargs, 'frame_handler': frame_handler})

    def connect(self, callback: Any = None) -> None:
        """Connect and shake hands; raises OSError or AMQPError, and then leaves nothing open."""
        late = TimeoutError(f'no answer within {self.connect_timeout or 0:g} s')
        try:
            with gevent.Timeout(self.connect_timeout, late):
                super().connect(callback)
        except BaseException:
            self.collect()
            raise

    def write(self, frames: bytes) -> None:
        """Send whole frames. Never waits."""
        self.transport.write(frames)
        self.bytes_sent += 1  # which is how py-amqp counts them, to know when a heartbeat is due

    @property
    def heard(self) -> int:
        """The number of frames that have come, but for heartbeats."""
        frames: int = self.bytes_recv  # so py-amqp calls it
        return frames - self.heartbeats

    @property
    def reason(self) -> Exception | None:
        """Why it ended; None while it stands."""
        return self.lost.get() if self.lost.ready() else None

    def wait_lost(self) -> Exception:
        """Wait until it ends and return why."""
        return self.lost.get() or _CLOSED

    def fail(self, error: Exception) -> None:
        """Tell the owner, and whoever waits for a reply, that this is the end. Never waits."""
        if not self.lost.ready():
            self.lost.set(error)
            for each in tuple((self.channels or {}).values()):
                each.fail_waiting(error)  # it is a channel of its own

    def collect(self) -> None:
        """Close the socket and forget all channels."""
        self.fail(_CLOSED)
        super().collect()

    def _on_blocked(self, reason: object = '') -> None:
        self.blocked = True
        if not self.why_blocked.ready():
            self.why_blocked.set(str(reason))

    def _on_unblocked(self) -> None:
        self.blocked = False
        for callback in self.when_unblocked:
            callback()

    def Transport(
        self,
        host: str,
        connect_timeout: float | None,
        ssl: bool | Mapping[str, Any] = False,
        read_timeout: float | None = None,
        write_timeout: float | None = None,
        socket_settings: Mapping[int, int] | None = None,
        **kwargs: Any,
    ) -> Wire:
        """Return what reads and writes frames."""
        return Wire(host, ssl, socket_settings)


class Transport(pyamqp.Transport):
    """kombu's `amqp` transport over these connections."""

    Connection = Connection
