"""The connection to Redis that comes back, and what a Redis has to be like to be trusted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent

from lymph.events.kombu.errors import BrokerError
from lymph.events.kombu.reconnecting import Reconnecting
from lymph.events.kombu.redis.brokers import RedisBroker
from lymph.events.kombu.redis.pipes import Lost, Pipe, Refused

__all__ = ['RedisLink']

logger = logging.getLogger(__name__)

_OLDEST = 7  # the first that lets scripts run when it is full
_TIMEOUT = 30.0  # seconds


class RedisLink(Reconnecting[RedisBroker, Pipe]):
    """Keeps one connection; `prepare` gets each new one before anybody else, and may wait."""

    def __init__(
        self,
        brokers: Sequence[RedisBroker],
        prefix: str,
        pushed: Callable[[str], object],
        prepare: Callable[[Pipe], object],
        shuffle: bool = False,
    ) -> None:
        super().__init__('events', brokers, shuffle=shuffle)
        self._prefix = prefix
        self._pushed = pushed
        self._prepare = prepare

    def abandon(self) -> None:
        """Let go of the connection in a forked child, without a word to Redis."""
        self._abandoned = True
        if self.connection is not None:
            self.connection.abandon()

    def script(self, timeout: float, name: str, *args: Any) -> Any:
        """Run a script, again where a connection was lost; raises BrokerError after `timeout`."""
        self.expect_own_thread()
        deadline = time.monotonic() + timeout
        while True:
            self.up.wait(max(deadline - time.monotonic(), 0))
            if self.connection is None:
                raise BrokerError(f'no connection within {timeout:g} s: {self.trouble}')
            command = self.connection.script(name, *args)
            try:
                return self.connection.call(max(deadline - time.monotonic(), 0), *command)
            except Lost:
                gevent.sleep(0)  # the owner has to notice, too

    def _open(self, broker: RedisBroker) -> Pipe:
        pipe = Pipe(broker, self._prefix, self._pushed, _TIMEOUT)
        try:
            _check(broker, pipe)
            self._prepare(pipe)
        except BaseException:
            pipe.end()
            raise
        return pipe

    def _abandon(self, connection: Pipe) -> None:
        connection.end()


def _check(broker: RedisBroker, pipe: Pipe) -> None:
    """Raise BrokerError for a Redis that would lose events by itself; warn of one that may."""
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
    except Refused as error:
        raise BrokerError(
            f'{error}: cannot tell whether it keeps events; permit the user +info'
        ) from None
    lines = (line for section in sections for line in section.decode().splitlines())
    return dict(line.split(':', 1) for line in lines if ':' in line)
