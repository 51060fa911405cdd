"""Reads all messages of a queue and leaves them there.

AMQP has no command that reads a message without taking it. So the browser consumes everything over
a channel of its own and gives it back at the end; if the process dies before, the broker gives it
back. A quorum queue delivers to a consumer thirty times as fast as it answers `basic.get`, which is
only used to find out whether the queue is empty.

"Empty" may overtake messages. A channel of the broker that waits for a quorum queue's answer to
`basic.get` leaves deliveries of that queue in its mailbox until it has passed the answer on. They
come before the reply to the next command, so the browser waits for one more reply. Observed with
RabbitMQ 3.10, in a third of the cases, when a queue of 2000 messages is read twice in a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any

import amqp
from amqp import spec
from gevent.queue import Empty, Queue

from lymph.events.kombu._connecting.errors import BROKEN
from lymph.events.kombu._rabbitmq.channels import AmqpChannel

__all__ = ['QueueBrowser']

_PREFETCH = 65535  # AMQP's maximum
_SILENCE = 0.1  # seconds after which the queue is asked whether it is empty


class QueueBrowser:
    """Holds the messages of `queue` for the duration of a `with` block.

    Iterating yields each message once. Other consumers cannot see them until the block ends; what
    was not removed is given back then. Iterating raises OSError or AMQPError when the channel or
    the connection ends; NotFound (an AMQPError) means that there is no such queue.
    """

    def __init__(self, channel: AmqpChannel, queue: str) -> None:
        self._channel = channel
        self._queue = queue
        self._arrived: Queue[amqp.Message | Exception] = Queue()
        self._tags: list[str] = []

    def __enter__(self) -> QueueBrowser:
        self._channel.on_closed = self._arrived.put
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._channel.on_closed = None
        with suppress(*BROKEN):
            for tag in self._tags:
                self._channel.basic_cancel(tag)
            # Closing the channel gives everything back as well, but only some time later.
            every, multiple, requeue = 0, True, True
            self._channel.send_method(spec.Basic.Nack, 'Lbb', (every, multiple, requeue))

    def __iter__(self) -> Iterator[amqp.Message]:
        ready = self._count_ready()
        seen = 0
        self._consume()
        while True:
            # The count may be wrong: in a cluster, while others browse, and when a quorum queue has
            # not yet handled what was given back just now. It only saves waiting.
            message = self._next(_SILENCE if seen < ready else 0)
            if message is None:
                message = self._channel.basic_get(self._queue)
                if message is not None:
                    self._consume()  # the present consumers have reached their prefetch
            if message is None:
                self._count_ready()  # messages that "empty" overtook come before this reply
                message = self._next(0)
            if message is None:
                return
            seen += 1
            yield message

    def remove(self, message: amqp.Message) -> None:
        """Remove a message from the queue. Never waits.

        Raises OSError or AMQPError when the channel or the connection has ended.
        """
        self._channel.basic_ack(message.delivery_tag)

    def _count_ready(self) -> int:
        count: int = self._channel.queue_declare(self._queue, passive=True).message_count
        return count

    def _next(self, timeout: float) -> amqp.Message | None:
        try:
            arrived = self._arrived.get(timeout=timeout) if timeout else self._arrived.get_nowait()
        except Empty:
            return None
        if isinstance(arrived, Exception):
            raise arrived
        return arrived

    def _consume(self) -> None:
        tag = f'lymph-browser-{len(self._tags)}'
        self._tags.append(tag)
        # registered first: deliveries may arrive before the reply to basic.consume
        callbacks: dict[str, Any] = self._channel.callbacks
        callbacks[tag] = self._arrived.put
        self._channel.basic_qos(0, _PREFETCH, False)
        self._channel.basic_consume(self._queue, consumer_tag=tag, callback=self._arrived.put)
