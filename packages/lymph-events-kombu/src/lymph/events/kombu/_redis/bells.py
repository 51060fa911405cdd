"""Bells: over a connection of its own, Redis tells which queues have something.

Redis closes the connection of a subscriber when 32 MiB wait for it (``client-output-buffer-limit
pubsub``). That counts replies, too, and a few large events are as much as that. So nothing is read
over this connection but bells.

It is for speed alone. Whoever has subscribed to a bell, again perhaps, looks into the queue once. A
connection that is lost is made again at once; when that fails, or the connection did not last,
`failed` is told, because whatever is wrong is likely to concern the other connection, too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from lymph.core.greenlets import Greenlet
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._redis.brokers import RedisBroker
from lymph.events.kombu._redis.names import bell
from lymph.events.kombu._redis.pipes import CommandRefused, Pipe

__all__ = ['Bells']

_BRIEF = 1.0  # seconds
_LOOK = (b'message', b'subscribe')  # what rang before the subscription was not heard


class Bells:
    """Calls `ring` with the name of each of `queues`, and of those that it is told to listen to.

    `ring` and `failed` must not wait. Raises BrokerError when Redis cannot be reached, or does not
    permit the user to listen.
    """

    def __init__(
        self,
        broker: RedisBroker,
        prefix: str,
        queues: Iterable[str],
        ring: Callable[[str], object],
        failed: Callable[[Exception], object],
        timeout: float,
    ) -> None:
        self._broker = broker
        self._prefix = prefix
        self._bell = bell(prefix, broker.database)
        self._queues = dict.fromkeys(queues)
        self._ring = ring
        self._failed = failed
        self._timeout = timeout
        self._abandoned = False
        self._connect()
        self._keeper = Greenlet.spawn(self._keep)

    def listen(self, queue: str) -> None:
        """Listen to the bell of a queue. Never waits."""
        self._queues[queue] = None
        self._pipe.say('SUBSCRIBE', self._bell + queue)

    def ignore(self, queue: str) -> None:
        """Listen to the bell of a queue no longer. Never waits."""
        self._queues.pop(queue, None)
        self._pipe.say('UNSUBSCRIBE', self._bell + queue)

    def end(self) -> None:
        """Let go of the connection."""
        self._keeper.kill()
        self._pipe.end()

    def abandon(self) -> None:
        """Let go of the connection in a forked child, without a word to Redis."""
        self._abandoned = True
        self._pipe.abandon()

    def _keep(self) -> None:
        """Make the connection again when it is lost, and end when that is in vain."""
        while True:
            error = self._pipe.wait_lost()
            if self._abandoned:
                return
            self._pipe.end()
            try:
                if time.monotonic() - self._since < _BRIEF:
                    raise error
                self._connect()
            except Exception as failure:  # noqa: BLE001 - whatever it is, both are made again
                self._failed(failure)
                return

    def _connect(self) -> None:
        self._pipe = pipe = Pipe(self._broker, self._push)
        self._since = time.monotonic()
        try:
            for channel in (self._bell, *(self._bell + queue for queue in self._queues)):
                pipe.say('SUBSCRIBE', channel)
            # a subscription has no reply, unless it is refused: then that comes first
            pipe.call(self._timeout, 'PING')
        except CommandRefused as error:
            pipe.end()
            raise BrokerError(
                f'{self._broker}: cannot subscribe to {self._bell}*: {error.reason}; '
                f'permit the user &{self._prefix}:bell:* and ~{self._prefix}:*'
            ) from None
        except BaseException:
            pipe.end()
            raise

    def _push(self, message: list[Any]) -> None:
        if message[0] in _LOOK:
            self._ring(message[1].decode(errors='replace').removeprefix(self._bell))
