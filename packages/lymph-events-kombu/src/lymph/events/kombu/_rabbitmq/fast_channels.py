"""Faster and more tolerant versions of the classes in `channels`, based on internals of py-amqp.

They replace these undocumented parts:

==================================  ================================================================
`Connection.Transport`              `Wire`: gevent's sockets without patching, writes never wait
`Connection(frame_handler=...)`     `inbound`: headers from a producer cannot break the connection
`dispatch_method`                   accepts names and keys that are not UTF-8, calls consumers
                                    directly, keeps the broker's reason for a block
==================================  ================================================================

They build the frames of publications and acknowledgements themselves (`frames`). `AmqpTransport` is
kombu's transport with the fast connection, or with the plain one if a version of py-amqp does not
have these parts as expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import amqp
from amqp import abstract_channel, method_framing, spec, transport
from kombu.transport import pyamqp

from lymph.core._system.private_parts import as_expected, assigns, takes
from lymph.events.kombu._rabbitmq import frames
from lymph.events.kombu._rabbitmq.channels import AmqpChannel, AmqpConnection
from lymph.events.kombu._rabbitmq.inbound import arguments, frame_handler, readable
from lymph.events.kombu._rabbitmq.wire import Wire

__all__ = ['AmqpTransport', 'FastAmqpChannel', 'FastAmqpConnection']

_CLOSING = (spec.Channel.Close, spec.Channel.CloseOk)


class FastAmqpChannel(AmqpChannel):
    """A channel that builds its own frames, and accepts text that is not UTF-8."""

    def publication(
        self, message: amqp.Message, exchange: str, routing_key: str, mandatory: bool
    ) -> bytes:
        """Return the frames of a message; raises as `AmqpChannel.publication` does."""
        limit = self.open_connection().frame_max
        return frames.publish(self.channel_id, message, exchange, routing_key, mandatory, limit)

    def send(self, publication: bytes) -> None:
        """Send whole frames; raises OSError when the connection is broken. Never waits."""
        self.open_connection().write(publication)

    def acknowledge(self, tag: int, multiple: bool = False) -> None:
        """Acknowledge a delivery, or with `multiple` all up to it. Never waits."""
        self.open_connection().write(frames.acknowledge(self.channel_id, tag, multiple))

    def dispatch_method(self, method_sig: tuple[int, int], payload: bytes, content: Any) -> None:
        """Handle a method for this channel; called by the reader of the connection."""
        if self.is_closing and method_sig not in _CLOSING:
            return  # py-amqp ignores it as well, with a line in the log
        if method_sig == spec.Basic.Deliver:
            self._deliver(content, *arguments(method_sig, payload))
        elif content is None:
            super().dispatch_method(method_sig, payload, content)
        else:
            super().dispatch_method(method_sig, readable(method_sig, payload), content)

    def _deliver(
        self, message: amqp.Message, consumer: str, tag: int, again: bool, exchange: str, key: str
    ) -> None:
        message.channel = self
        message.delivery_info = {
            'consumer_tag': consumer,
            'delivery_tag': tag,
            'redelivered': again,
            'exchange': exchange,
            'routing_key': key,
        }
        callback = self.callbacks.get(consumer)
        if callback is None:
            self.basic_reject(tag, requeue=True)  # the consumer was cancelled meanwhile
        else:
            callback(message)


class FastAmqpConnection(AmqpConnection):
    """A connection over gevent's sockets, with the frames of `frames` and `inbound`."""

    Channel = FastAmqpChannel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, 'frame_handler': frame_handler})
        self.writing = nullcontext()  # the wire never mixes the frames of two methods

    def prepare(self) -> None:
        """Do nothing: the wire uses gevent's sockets and has its own writer."""

    def write(self, frames: bytes) -> None:
        """Send whole frames; raises OSError when the connection is broken. Never waits."""
        self.transport.write(frames)
        self.bytes_sent += 1  # by this count py-amqp decides when a heartbeat is due

    def frames(self) -> Callable[[], bool]:
        """Return a function that reads one frame and returns whether it completes a method."""
        read, dispatch = self.transport.read_frame, self.on_inbound_frame
        return lambda: dispatch(read())

    def abandon(self) -> None:
        """Stop using the connection in a forked child."""
        self.transport.abandon()
        super().abandon()

    def dispatch_method(self, method_sig: tuple[int, int], payload: bytes, content: Any) -> None:
        """Handle a method for the connection itself; called by its reader."""
        if method_sig == spec.Connection.Blocked:
            self.block(payload[5:].decode(errors='backslashreplace'))  # a short string
        else:
            super().dispatch_method(method_sig, payload, content)

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
        """Return the wire to `host`. The timeouts are ignored: `connect` sets one for all steps."""
        return Wire(host, ssl, socket_settings)


def _is_expected() -> bool:
    connection, channel = amqp.Connection, abstract_channel.AbstractChannel
    return (
        takes(connection.Transport, 'self', 'host', 'connect_timeout', 'ssl')
        and assigns(connection.connect, 'Transport', 'frame_handler_cls', 'frame_writer_cls')
        and assigns(connection.blocking_read, 'having_timeout', 'read_frame', 'on_inbound_frame')
        and assigns(connection.on_inbound_method, 'dispatch_method')
        and takes(transport.TCPTransport.read_frame, 'self')
        and takes(method_framing.frame_handler, 'connection', 'callback')
        and takes(method_framing.frame_writer, 'connection', 'transport')
        and takes(channel.dispatch_method, 'self', 'method_sig', 'payload', 'content')
        and assigns(amqp.Channel.basic_consume, 'callbacks')
    )


_FAST = as_expected('amqp', 'Connection.Transport, frame_handler and dispatch_method', _is_expected)


class AmqpTransport(pyamqp.Transport):
    """kombu's `amqp` transport with these connections."""

    Connection = FastAmqpConnection if _FAST else AmqpConnection
