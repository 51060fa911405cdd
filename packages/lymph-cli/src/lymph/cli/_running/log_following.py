"""Following the logs that instances publish, through `lymph.core.monitoring.log_reader`.

Records are numbered. If numbers are missing, a line on stderr says how many records were lost: they
were not read in time, or the connection was down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import gevent

from lymph.cli.output import say
from lymph.config.printable import quoted
from lymph.core.monitoring.log_reader import LogSocket
from lymph.core.services import Change, ServiceInstance
from lymph.discovery.base import RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure

__all__ = ['Followed', 'LogReader', 'Wants', 'watch']

_LOOK_AGAIN: Final = 1.0  # seconds until a service is looked up again that nobody offers
_UNKNOWN: Final = '?'

#: tells whether an instance is to be followed
Wants = Callable[[ServiceInstance], bool]


@dataclass
class Followed:
    """An instance whose log is followed: what it is called, and the number of its last record.

    `wanted` has the services, with their keys of the instance, for which it is followed: an
    instance may offer several services, and several versions of one.
    """

    name: str
    identity: str
    endpoint: str
    number: int | None = None
    wanted: set[tuple[str, str]] = field(default_factory=set)


class LogReader:
    """Iterates over (instance, facts) of the records of all instances that were added."""

    def __init__(self) -> None:
        self._socket = LogSocket()
        self._followed: dict[str, Followed] = {}  # by identity
        self._unreadable = False

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *details: object) -> None:
        self._socket.close()

    def add(self, name: str, instance: ServiceInstance) -> None:
        """Follow an instance, at its present endpoint; it may be followed under another name."""
        followed = self._followed.get(instance.identity)
        if followed is not None and followed.endpoint == instance.log_endpoint:
            followed.wanted.add((name, instance.key))
            return
        if followed is not None:
            self._leave(followed)
        if instance.log_endpoint is None:
            say(f'{_named(name, instance.identity)} publishes no log; see container.log_endpoint')
            return
        try:
            # an instance that has taken the place of another may have its endpoint, too
            if not self._uses(instance.log_endpoint):
                self._socket.connect(instance.log_endpoint)
        except OSError as error:
            where = f'{_named(name, instance.identity)} at {quoted(instance.log_endpoint)}'
            say(f'{where} cannot be followed: {error.strerror}')
            return
        wanted = (
            {(name, instance.key)} if followed is None else {*followed.wanted, (name, instance.key)}
        )
        followed = Followed(name, instance.identity, instance.log_endpoint, wanted=wanted)
        self._followed[instance.identity] = followed
        say(f'following {_named(name, instance.identity)} at {instance.log_endpoint}')

    def remove(self, name: str, instance: ServiceInstance) -> None:
        """Stop following an instance for a service; one that was not added is ignored.

        An instance that was added for another service or version too is still followed.
        """
        followed = self._followed.get(instance.identity)
        if followed is None or (name, instance.key) not in followed.wanted:
            return
        followed.wanted.remove((name, instance.key))
        if not followed.wanted:
            self._leave(followed)
            say(f'{_named(followed.name, followed.identity)} is gone')

    def _leave(self, followed: Followed) -> None:
        del self._followed[followed.identity]
        if not self._uses(followed.endpoint):
            self._socket.disconnect(followed.endpoint)

    def _uses(self, endpoint: str) -> bool:
        return any(each.endpoint == endpoint for each in self._followed.values())

    def __iter__(self) -> Iterator[tuple[Followed, dict[str, Any]]]:
        while True:
            facts = self._socket.receive()
            if facts is None:
                if not self._unreadable:
                    self._unreadable = True
                    say('what somebody publishes is no log of lymph, and is left out')
                continue
            identity = facts.pop('identity')
            followed = self._followed.get(identity) or Followed(_UNKNOWN, identity, '')
            self._tell_lost(followed, facts.pop('number'))
            yield followed, facts

    def _tell_lost(self, followed: Followed, number: int) -> None:
        lost = 0 if followed.number is None else number - followed.number - 1
        followed.number = number
        if lost > 0:
            records = 'record was' if lost == 1 else 'records were'
            say(f'{_named(followed.name, followed.identity)}: {lost} {records} lost')


def watch(registry: BaseServiceRegistry, name: str, wants: Wants, reader: LogReader) -> None:
    """Have `reader` follow the instances of a service that are wanted, those that come later, too.

    Waits for a service that nobody offers yet.
    """
    told = ''

    def changed(change: Change, instance: ServiceInstance) -> None:
        if change == 'removed':
            reader.remove(name, instance)
        elif wants(instance):
            reader.add(name, instance)

    while True:
        try:
            service = registry.get(name, RPC)
            break
        except LookupFailure as error:
            if str(error) != told:
                told = str(error)
                say(f'waiting for {name}: {told}')
        gevent.sleep(_LOOK_AGAIN)
    # Before the loop, so that no instance is missed; `reader.add` ignores those it knows.
    service.observe(changed)
    for instance in service:
        if wants(instance):
            reader.add(name, instance)


def _named(name: str, identity: str) -> str:
    return f'{name} {identity[:8]}'
