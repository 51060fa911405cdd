"""The connections to Redis, restored after a loss, and the checks of each Redis before its use."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import gevent

from lymph.core.monitoring.connection_states import ConnectionTracker
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.reconnecting import Reconnecting
from lymph.events.kombu._redis.bells import Bells
from lymph.events.kombu._redis.brokers import RedisBroker
from lymph.events.kombu._redis.pipes import CommandRefused, Lost, NoAnswer, Pipe

__all__ = ['RedisLink']

logger = logging.getLogger(__name__)

_OLDEST = 7  # the first version in which a script can declare that it runs without free memory
_TIMEOUT = 30.0  # seconds for an answer


class RedisLink(Reconnecting[RedisBroker, Pipe]):
    """Keeps one connection for commands and one for bells.

    ===============  ===========================================================================
    `brokers`        the addresses, tried in turn, or in random order with `shuffle`
    `prefix`         how all keys and channels begin
    `queues()`       returns the queues whose bells each new connection listens to
    `ring(queue)`    is called when a queue may have events; must not wait
    `prepare(pipe)`  is called with each new connection before its first use; may wait
    `tracker`        keeps the state of the connection
    ===============  ===========================================================================
    """

    def __init__(
        self,
        brokers: Sequence[RedisBroker],
        prefix: str,
        queues: Callable[[], Iterable[str]],
        ring: Callable[[str], object],
        prepare: Callable[[Pipe], object],
        shuffle: bool = False,
        tracker: ConnectionTracker | None = None,
    ) -> None:
        super().__init__('events', brokers, shuffle=shuffle, tracker=tracker)
        self._prefix = prefix
        self._ring = ring
        self._prepare = prepare
        self._queues = queues
        self._bells: Bells | None = None

    def abandon(self) -> None:
        """Stop using the connections in a forked child, without sending anything to Redis."""
        self._abandoned = True
        if self.connection is not None:
            self.connection.abandon()
        if self._bells is not None:
            self._bells.abandon()

    def listen(self, queue: str) -> None:
        """Listen to the bell of a queue, which rings once at the beginning. Never waits."""
        if self._bells is not None:
            self._bells.listen(queue)

    def ignore(self, queue: str) -> None:
        """Stop listening to the bell of a queue. Never waits."""
        if self._bells is not None:
            self._bells.ignore(queue)

    def script(self, timeout: float, name: str, *args: Any, strict: bool = False) -> Any:
        """Run the script `name` and return its answer; run it again when a connection is lost.

        Raises BrokerError when Redis refuses, and when there is no connection or no answer within
        `timeout` seconds. Unless `strict`, the wait for an answer is extended while anything
        arrives, such as a large reply. Raises WrongThread in another native thread.
        """
        self.expect_own_thread()
        deadline = time.monotonic() + timeout
        lost = ''
        while True:
            self.up.wait(max(deadline - time.monotonic(), 0))
            if self.connection is None:
                raise BrokerError(f'no connection within {timeout:.3g} s: {self.trouble}')
            command = self.connection.script(name, *args)
            left = max(deadline - time.monotonic(), 0) if strict or lost else timeout
            try:
                return self.connection.call(left, *command, strict=strict)
            except NoAnswer:
                raise BrokerError(
                    f'{self.broker}: no answer within {timeout:.3g} s{lost}'
                ) from None
            except Lost as error:
                lost = f' ({error})'
                gevent.sleep(0)  # let the greenlet that owns the connection notice it as well

    def _open(self, broker: RedisBroker) -> Pipe:
        pipe = Pipe(broker)
        try:
            pipe.load(self._prefix, _TIMEOUT)
            _check(broker, pipe)
            self._bells = Bells(
                broker, self._prefix, self._queues(), self._ring, pipe.fail, _TIMEOUT
            )
            self._prepare(pipe)
        except BaseException:
            self._abandon(pipe)
            raise
        return pipe

    def _abandon(self, connection: Pipe) -> None:
        bells, self._bells = self._bells, None
        if bells is not None:
            bells.end()
        connection.end()


def _check(broker: RedisBroker, pipe: Pipe) -> None:
    """Raise BrokerError for a Redis whose configuration loses events; warn if a crash would."""
    facts = _facts(broker, pipe)
    version = facts.get('redis_version', '0')
    if int(version.partition('.')[0]) < _OLDEST:
        raise BrokerError(f'{broker}: expected Redis {_OLDEST}.0 or later, found {version}')
    if facts.get('redis_mode') == 'cluster':
        raise BrokerError(
            f'{broker}: expected a single Redis, with or without replicas, found a cluster; '
            'events are moved between keys that a cluster keeps apart'
        )
    policy = facts.get('maxmemory_policy', '')
    if policy.startswith('allkeys'):
        raise BrokerError(
            f'{broker}: expected a Redis that keeps what it has, found maxmemory-policy {policy}, '
            'which drops events when memory is short; set it to noeviction'
        )
    if facts.get('aof_enabled') == '0':
        logger.warning(
            '%s: appendonly is off: a crash of Redis loses the events since its last snapshot; '
            'set appendonly to yes, and appendfsync to always to lose none',
            broker,
        )


def _facts(broker: RedisBroker, pipe: Pipe) -> dict[str, str]:
    try:
        sections = [pipe.call(_TIMEOUT, 'INFO', each) for each in ('server', 'memory')]
        sections.append(pipe.call(_TIMEOUT, 'INFO', 'persistence'))
    except CommandRefused as error:
        raise BrokerError(
            f'{broker}: {error.reason}: cannot tell whether it keeps events; permit the user +info'
        ) from None
    lines = (line for section in sections for line in section.decode().splitlines())
    return dict(line.split(':', 1) for line in lines if ':' in line)
