"""The queues of the local event system: what a broker would hold, in memory."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field

from lymph.core.events import Event
from lymph.events.deadletters import DeadLetter, DeadLetters, Settled
from lymph.events.envelope import unpack_event
from lymph.events.leases import Delivery, Demand, Leased
from lymph.events.queues import QueueInUse, Queues, QueueState
from lymph.events.topics import matches_any

__all__ = ['LocalDeadLetters', 'LocalEventSystemHub', 'LocalQueues']

_Bell = Callable[[], object]


@dataclass(order=True)
class _QueuedEvent:
    """An event in a queue; the order is that of emission."""

    id: int
    data: bytes = field(compare=False)
    emitted: float = field(compare=False)
    attempts: int = field(compare=False, default=0)
    not_before: float = field(compare=False, default=0.0)  # while it keeps its place; monotonic


class _Queue:
    def __init__(self, temporary: bool = False) -> None:
        self.temporary = temporary
        self.topics: tuple[str, ...] = ()  # those of the last consumer that left
        self.consumers: dict[_Bell, tuple[str, ...]] = {}
        self.ready: list[_QueuedEvent] = []
        self.delayed: list[tuple[float, _QueuedEvent]] = []
        self.claim: str | None = None  # of who consumes it alone

    def takes(self, topic: str) -> bool:
        patterns = self.consumers.values() or (self.topics,)
        return any(matches_any(topics, topic) for topics in patterns)

    def put(self, message: _QueuedEvent, delay: float = 0) -> None:
        if delay > 0 and message.attempts and self.claim is not None:
            message.not_before = time.monotonic() + delay
            heapq.heappush(self.ready, message)
        elif delay > 0:
            heapq.heappush(self.delayed, (time.monotonic() + delay, message))
        else:
            heapq.heappush(self.ready, message)
        for bell in tuple(self.consumers):
            bell()

    def take(self, count: int) -> list[_QueuedEvent]:
        now = time.monotonic()
        while self.delayed and self.delayed[0][0] <= now:
            heapq.heappush(self.ready, heapq.heappop(self.delayed)[1])
        if self.waits_for_first():
            return []
        return [heapq.heappop(self.ready) for _ in range(min(count, len(self.ready)))]

    def waits_for_first(self) -> bool:
        return bool(self.ready) and self.ready[0].not_before > time.monotonic()

    def due(self) -> float | None:
        if self.waits_for_first():
            return self.ready[0].not_before - time.monotonic()
        return self.delayed[0][0] - time.monotonic() if self.delayed else None


class LocalEventSystemHub:
    """Queues and dead letters shared by the event systems that are given this hub."""

    def __init__(self) -> None:
        self.dead_letters: LocalDeadLetters = LocalDeadLetters(self)
        self.queues: LocalQueues = LocalQueues(self)
        self._queues: dict[str, _Queue] = {}
        self._leases: dict[int, tuple[object, str, _QueuedEvent]] = {}
        self._ids = itertools.count(1)

    def declare(
        self,
        queue: str,
        topics: tuple[str, ...],
        bell: Callable[[], object],
        temporary: bool = False,
    ) -> None:
        """Collect events of `topics` in `queue` and call `bell` when there is something in it."""
        self._queues.setdefault(queue, _Queue(temporary)).consumers[bell] = topics

    def has_queue(self, queue: str) -> bool:
        """Tell whether `queue` was declared."""
        return queue in self._queues

    def withdraw(self, queue: str, bell: Callable[[], object], remove: bool) -> None:
        """Call `bell` no more; with `remove`, forget the queue and what is in it."""
        if remove:
            self._queues.pop(queue, None)
        elif queue in self._queues:
            known = self._queues[queue]
            known.topics = known.consumers.pop(bell, known.topics)

    def publish(self, topic: str, data: bytes, delay: float) -> None:
        """Put an event into every queue that collects its topic."""
        for queue in self._queues.values():
            if queue.takes(topic):
                queue.put(_QueuedEvent(next(self._ids), data, time.time()), delay)

    def lease(self, owner: object, demands: Sequence[Demand]) -> Leased:
        """Hand out events to `owner`."""
        deliveries: list[Delivery] = []
        due: dict[str, float] = {}
        for demand in demands:
            queue = self._queues.get(demand.queue)
            if queue is None or not self._claim(queue, demand.claim):
                continue
            for message in queue.take(demand.count):
                message.attempts += 1
                self._leases[message.id] = (owner, demand.queue, message)
                deliveries.append(
                    Delivery(message.id, demand.queue, message.data, message.attempts)
                )
            next_due = queue.due()
            if next_due is not None:
                due[demand.queue] = next_due
        return Leased(deliveries, due)

    def let_go(self, queue: str, claim: str) -> None:
        """End a claim; the others that consume the queue may take it."""
        known = self._queues.get(queue)
        if known is not None and known.claim == claim:
            known.claim = None
            for bell in tuple(known.consumers):
                bell()

    def acknowledge(self, delivery: Delivery) -> None:
        """Forget an event."""
        self._leases.pop(delivery.id, None)

    def put_back(self, delivery: Delivery, delay: float = 0, attempts: int = 0) -> None:
        """Put an event back into its queue; `attempts` is added to its count."""
        _, name, message = self._leases.pop(delivery.id, (None, '', None))
        if message is not None and name in self._queues:
            message.attempts += attempts
            self._queues[name].put(message, delay)

    def bury(self, delivery: Delivery, error: str) -> None:
        """Move an event to the dead letters."""
        _, name, message = self._leases.get(delivery.id, (None, '', None))
        if message is not None:
            self.dead_letters.add(name, message, error)
            del self._leases[delivery.id]

    def release(self, owner: object) -> None:
        """Put everything back that `owner` has leased."""
        for holder, name, message in list(self._leases.values()):
            if holder is owner:
                self.put_back(Delivery(message.id, name, message.data, message.attempts))

    def states(self) -> list[QueueState]:
        """Return what is in each queue."""
        leased = Counter(name for _, name, _ in self._leases.values())
        dead = Counter(letter.queue for letter in self.dead_letters.scan())
        return [
            _state(name, queue, leased[name], dead[name])
            for name, queue in sorted(self._queues.items())
        ]

    def remove(self, queue: str) -> None:
        """Empty a queue, and forget it unless somebody consumes it."""
        known = self._queues[queue]
        known.ready.clear()
        known.delayed.clear()
        self._leases = {id: lease for id, lease in self._leases.items() if lease[1] != queue}
        if not known.consumers:
            del self._queues[queue]

    def _claim(self, queue: _Queue, claim: str | None) -> bool:
        if claim is None:
            return True
        if queue.claim is None:
            queue.claim = claim
        return queue.claim == claim

    def revive(self, queue: str, data: bytes) -> bool:
        """Put an event at the end of `queue`; returns whether there is such a queue."""
        known = self._queues.get(queue)
        if known is not None:
            known.put(_QueuedEvent(next(self._ids), data, time.time()))
        return known is not None


class LocalQueues(Queues):
    """The queues of a hub."""

    def __init__(self, hub: LocalEventSystemHub) -> None:
        self._hub = hub

    @property
    def note(self) -> str:
        """Local queues are in the memory of one process."""
        return 'local queues are in the memory of the process that has them; no other sees them'

    def read(self, names: Iterable[str] | None = None) -> Sequence[QueueState]:
        """Return the queues of these names, or all, sorted by name."""
        wanted = None if names is None else set(names)
        return [state for state in self._hub.states() if wanted is None or state.queue in wanted]

    def drop(self, name: str, *, forced: bool = False) -> bool:
        """Delete a queue with its events; return whether it existed.

        Raises QueueInUse if it has consumers and `forced` is false. With `forced`, a queue that has
        consumers is emptied and stays.
        """
        state = self.find(name)
        if state is None:
            return False
        if state.consumers and not forced:
            raise QueueInUse(name, state.consumers)
        self._hub.remove(name)
        return True


class LocalDeadLetters(DeadLetters):
    """The dead letters of a hub."""

    def __init__(self, hub: LocalEventSystemHub) -> None:
        self._hub = hub
        self._letters: dict[str, DeadLetter] = {}

    def add(self, queue: str, message: _QueuedEvent, error: str) -> None:
        """Keep an event that was given up."""
        letter = DeadLetter(
            id=str(message.id),
            queue=queue,
            event=_event_or_none(message.data, message.attempts),
            data=message.data,
            error=error,
            attempts=message.attempts,
            emitted=message.emitted,
            died=time.time(),
        )
        self._letters[letter.id] = letter

    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        """Return up to `limit` dead letters, of one queue or of all, the oldest first.

        The answer begins behind the dead letter with the id `after`; an unknown id is ignored.
        """
        letters: Iterable[DeadLetter] = list(self._letters.values())
        if after in self._letters:
            letters = itertools.islice(
                itertools.dropwhile(lambda letter: letter.id != after, letters), 1, None
            )
        of_queue = (letter for letter in letters if queue in (None, letter.queue))
        return list(itertools.islice(of_queue, limit))

    def scan(self, queue: str | None = None) -> Generator[DeadLetter, None, None]:
        """Yield the dead letters that exist now, of one queue or of all, the oldest first."""
        letters = list(self._letters.values())
        return (letter for letter in letters if queue in (None, letter.queue))

    def find(self, id: str) -> DeadLetter | None:
        """Return the dead letter with this id, or None."""
        return self._letters.get(id)

    def replay(self, *ids: str, settled: Settled = str) -> int:
        """Put events back at the end of their queues and return how many there were.

        Dead letters whose queue no longer exists stay. `settled(id)` is called for each other one.
        """
        replayed = [
            letter.id
            for letter in filter(None, map(self.find, ids))
            if self._hub.revive(letter.queue, letter.data)
        ]
        return self.drop(*replayed, settled=settled)

    def drop(self, *ids: str, settled: Settled = str) -> int:
        """Delete dead letters, call `settled(id)` for each and return how many there were."""
        dropped = [id for id in ids if self._letters.pop(id, None) is not None]
        for id in dropped:
            settled(id)
        return len(dropped)


def _state(name: str, queue: _Queue, running: int, dead: int) -> QueueState:
    now = time.monotonic()
    # these are due, but only `take` moves them to `ready`
    late = [message for due, message in queue.delayed if due <= now]
    # `ready` includes a failed event of an exclusive queue, which waits for its next attempt
    waiting = [message for message in queue.ready if message.not_before <= now] + late
    held = queue.ready + [message for _, message in queue.delayed]
    oldest = min((message.emitted for message in waiting), default=None)
    return QueueState(
        name,
        queue.temporary,
        len(waiting),
        len(held) - len(waiting),
        sum(len(message.data) for message in held),
        None if oldest is None else max(time.time() - oldest, 0.0),
        running,
        len(queue.consumers),
        dead,
    )


def _event_or_none(data: bytes, attempts: int) -> Event | None:
    try:
        return unpack_event(data, attempts)
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is kept as bytes
        return None
