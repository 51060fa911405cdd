"""The queues in Redis: their state for an operator, and their deletion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._redis.links import RedisLink
from lymph.events.queues import QueueInUse, Queues, QueueState

__all__ = ['RedisQueues']

_BATCH = 100  # queues in one script: Redis executes nothing else while it runs
_WEIGHED = 1000  # events whose sizes one script adds up
_MOST_WEIGHED = 100_000  # events of a queue, because each size takes a command of its own
_GONE, _UNKNOWN = -2, -1


class RedisQueues(Queues):
    """The queues of the Redis at `link`.

    Each script has `timeout` seconds. Every method raises BrokerError when Redis does not answer in
    time or refuses.
    """

    def __init__(self, link: RedisLink, timeout: float) -> None:
        self._link = link
        self._timeout = timeout
        self._note = ''

    @property
    def note(self) -> str:
        """What the last `read` or `glance` could not find out, and why; empty if nothing.

        Either the user lacks a permission, or a queue has too many events to add up their sizes.
        """
        return self._note

    def read(self, names: Iterable[str] | None = None) -> Sequence[QueueState]:
        """Return the queues of these names, or all, sorted by name; unknown names are left out.

        Reads the size of each event in queues of up to 100,000 events; `bytes` is None for larger
        ones.
        """
        self._note = ''
        wanted = None if names is None else sorted(set(names))
        found = self._survey(wanted)
        pairs = self._script('running') if found else ()
        running = dict(zip(pairs[::2], pairs[1::2], strict=True))
        states = [
            replace(
                self._state(*each),
                running=running.get(each[0], 0),
                bytes=self._weigh(each[0], ready=each[2], due=each[3]),
            )
            for each in found
        ]
        return sorted(states, key=lambda state: state.queue)

    def glance(self, names: Iterable[str]) -> Sequence[QueueState]:
        """Return the queues of these names, sorted, with `running` and `bytes` left at None."""
        states = [self._state(*each) for each in self._survey(sorted(set(names)))]
        return sorted(states, key=lambda state: state.queue)

    def drop(self, name: str, *, forced: bool = False) -> bool:
        """Delete a queue with all events in it, and return whether it existed.

        Its dead letters stay. Unless `forced`, raises QueueInUse if the queue has consumers, and
        BrokerError if the user lacks the permission to count them.
        """
        reply = self._script('drop_queue', name, int(forced))
        if reply == _UNKNOWN:
            raise BrokerError(
                f'{self._link.broker}: cannot tell whether anybody consumes the queue {name}; '
                'permit the user +pubsub'
            )
        if reply > 0:
            raise QueueInUse(name, reply)
        return bool(reply != _GONE)

    def _survey(self, wanted: Sequence[str] | None) -> list[Any]:
        if wanted is None:
            return list(self._script('survey'))
        found: list[Any] = []
        for at in range(0, len(wanted), _BATCH):
            found += self._script('survey', *wanted[at : at + _BATCH])
        return found

    def _state(self, queue: bytes, temporary: int, *numbers: int) -> QueueState:
        ready, due, late, consumers, dead, oldest = numbers
        if consumers == _UNKNOWN:
            self._note = 'consumers cannot be counted; permit the user of Redis +pubsub'
        return QueueState(
            queue.decode(errors='backslashreplace'),
            bool(temporary),
            waiting=ready + late,
            delayed=due - late,
            oldest=None if oldest == _UNKNOWN else oldest / 1000,
            consumers=None if consumers == _UNKNOWN else consumers,
            dead=dead,
        )

    def _weigh(self, queue: bytes, ready: int, due: int) -> int | None:
        if ready + due > _MOST_WEIGHED:
            self._note = f'bytes are not added up of more than {_MOST_WEIGHED:,} events in a queue'
            return None
        return sum(
            int(self._script('weigh', queue, kind, at, at + _WEIGHED - 1))
            for kind, count in (('ready', ready), ('due', due))
            for at in range(0, count, _WEIGHED)
        )

    def _script(self, name: str, *args: Any) -> Any:
        return self._link.script(self._timeout, name, *args)
