"""Bells: notifications from Redis that a queue has events, over a connection of their own.

Redis closes the connection of a subscriber when 32 MiB of output wait for it
(``client-output-buffer-limit pubsub``). Replies count as well, and a few large events are that
large, so this connection carries notifications only.

Bells reduce latency; no event depends on them. Each subscription, also a repeated one, rings the
queue's bell once, so that notifications from before it are not missed. A lost connection is
restored at once. If that fails, or if the connection lasted less than a second, `failed` is called,
because the cause is likely to affect the connection for commands as well.
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

_BRIEF = 1.0  # seconds; a connection that lasts less is not restored
_LOOK = (b'message', b'subscribe')  # a new subscription may have missed messages


class Bells:
    """Calls `ring(queue)` when one of `queues`, or of those added by `listen`, may have events.

    ===============  ===========================================================================
    `prefix`         how the names of all channels begin
    `failed(error)`  is called when the connection cannot be restored
    `timeout`        seconds for the first answer over each connection
    ===============  ===========================================================================

    `ring` and `failed` must not wait. Raises BrokerError when Redis cannot be reached, or when the
    user may not subscribe.
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
        """Subscribe to the bell of a queue. Never waits."""
        self._queues[queue] = None
        self._pipe.say('SUBSCRIBE', self._bell + queue)

    def ignore(self, queue: str) -> None:
        """Unsubscribe from the bell of a queue. Never waits."""
        self._queues.pop(queue, None)
        self._pipe.say('UNSUBSCRIBE', self._bell + queue)

    def end(self) -> None:
        """Close the connection."""
        self._keeper.kill()
        self._pipe.end()

    def abandon(self) -> None:
        """Stop using the connection in a forked child, without sending anything to Redis."""
        self._abandoned = True
        self._pipe.abandon()

    def _keep(self) -> None:
        """Restore the connection when it is lost; end when that fails."""
        while True:
            error = self._pipe.wait_lost()
            if self._abandoned:
                return
            self._pipe.end()
            try:
                if time.monotonic() - self._since < _BRIEF:
                    raise error
                self._connect()
            except Exception as failure:  # noqa: BLE001 - after any error both connections are made again
                self._failed(failure)
                return

    def _connect(self) -> None:
        self._pipe = pipe = Pipe(self._broker, self._push)
        self._since = time.monotonic()
        try:
            for channel in (self._bell, *(self._bell + queue for queue in self._queues)):
                pipe.say('SUBSCRIBE', channel)
            # an error of SUBSCRIBE arrives before the reply to PING, so `call` raises it
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
