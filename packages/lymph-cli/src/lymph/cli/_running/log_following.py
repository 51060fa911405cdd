"""Following the logs that instances publish; `lymph.core._monitoring.log_publisher` has the format.

One socket is connected to all of them and reconnects by itself. Records are numbered. If numbers
are missing, a line on stderr says how many records were lost: they were not read in time, or the
connection was down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import gevent
import zmq
import zmq.green

from lymph.cli.output import say
from lymph.config.printable import quoted
from lymph.core._monitoring.log_publisher import TOPIC
from lymph.core.services import Change, ServiceInstance
from lymph.discovery.base import RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure, SerializationError
from lymph.serializers.msgpack import unpack

__all__ = ['Followed', 'LogReader', 'Wants', 'read_record', 'watch']

_LOOK_AGAIN: Final = 1.0  # seconds until a service is looked up again that nobody offers
_LARGEST: Final = 1024 * 1024  # bytes of a record
_READ_AHEAD: Final = 20_000  # records
_SILENCE: Final = 10_000  # milliseconds after which a connection is given up that answers nothing
_RECONNECT: Final = (100, 2_000)  # milliseconds between attempts, from and to
_UNKNOWN: Final = '?'

# fact -> the types it may have
_FACTS: Final[dict[str, tuple[type, ...]]] = {
    'identity': (str,),
    'number': (int,),
    'time': (int, float),
    'level': (str,),
    'levelno': (int,),
    'logger': (str,),
    'message': (str,),
    'trace_id': (str, type(None)),
    'exception': (str,),
}
_OPTIONAL: Final = {'exception'}
_TIMES: Final = (0, 253_402_300_799)  # what datetime can show


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
        self._context = zmq.green.Context(io_threads=1)
        self._socket = self._context.socket(zmq.SUB)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.IPV6, 1),
            (zmq.MAXMSGSIZE, _LARGEST),
            (zmq.RCVHWM, _READ_AHEAD),
            (zmq.RECONNECT_IVL, _RECONNECT[0]),
            (zmq.RECONNECT_IVL_MAX, _RECONNECT[1]),
            (zmq.HEARTBEAT_IVL, _SILENCE // 2),
            (zmq.HEARTBEAT_TIMEOUT, _SILENCE),
            (zmq.SUBSCRIBE, TOPIC),
        ):
            self._socket.set(option, value)
        self._followed: dict[str, Followed] = {}  # by identity
        self._unreadable = False

    def __enter__(self) -> LogReader:
        return self

    def __exit__(self, *details: object) -> None:
        self._context.destroy(linger=0)

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
        except zmq.ZMQError as error:
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
            frames = self._socket.recv_multipart()
            facts = read_record(frames)
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


def read_record(frames: list[bytes]) -> dict[str, Any] | None:
    """Return the facts in the frames of a record, None for anything else."""
    if len(frames) != 2 or frames[0] != TOPIC:
        return None
    try:
        facts = unpack(frames[1])
    except SerializationError:
        return None
    if not isinstance(facts, dict):
        return None
    known = {name: facts[name] for name in _FACTS if name in facts}
    # A bool is an int in Python, but no fact may be a bool.
    fitting = all(
        isinstance(value, _FACTS[name]) and not isinstance(value, bool)
        for name, value in known.items()
    )
    if not fitting or not _FACTS.keys() - _OPTIONAL <= known.keys():
        return None
    # This rejects NaN too, which compares as False.
    return known if _TIMES[0] <= known['time'] <= _TIMES[1] else None


def _named(name: str, identity: str) -> str:
    return f'{name} {identity[:8]}'
