"""The tools of the event tests: systems that stop after their test, and handlers."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import gevent
from gevent.event import Event as Signal

from lymph.core.events import Event
from lymph.core.workers import Workers
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.deadletters import DeadLetter
from lymph.testing.waiting import eventually

__all__ = ['EventSystemHarness', 'Gate', 'Inbox']


class Inbox:
    """A handler that records its events; `fail` is called with each of them before."""

    def __init__(self, fail: Callable[[Event], object] | None = None) -> None:
        self.events: list[Event] = []
        self.fail = fail

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if self.fail is not None:
            self.fail(event)

    @property
    def numbers(self) -> list[Any]:
        """The parameter `n` of each event, in the order of arrival."""
        return [event.body['n'] for event in self.events]


class Gate:
    """A handler that blocks with each event until `open` is called."""

    def __init__(self) -> None:
        self.inside: list[Event] = []
        self.most = 0
        self.done: list[Event] = []
        self._open = Signal()

    def __call__(self, event: Event) -> None:
        self.inside.append(event)
        self.most = max(self.most, len(self.inside))
        try:
            self._open.wait()
        finally:
            self.inside.remove(event)
        self.done.append(event)

    def open(self) -> None:
        """Let the handlers of all events go on, also of later ones."""
        self._open.set()


class EventSystemHarness:
    """Starts and stops event systems, and makes unique names for queues and topics."""

    #: seconds to wait for something that has to happen
    patience: ClassVar[float] = 10.0
    #: seconds after which an event that must not arrive would have arrived
    settling: ClassVar[float] = 0.3

    def make_event_system(self) -> BaseEventSystem:
        """Return a new event system, not started, that reaches the others of this test.

        Raises NotImplementedError: subclasses override it.
        """
        raise NotImplementedError

    def section(self) -> Mapping[str, Any] | None:
        """Return the section `container.events` of a process that reaches these systems.

        Its values are JSON. None (the default) says that events do not outlive this process.
        """
        return None

    def read_dead_letters(self, system: BaseEventSystem, queue: str) -> list[DeadLetter]:
        """Return the dead letters of a queue."""
        assert system.dead_letters is not None
        return list(system.dead_letters.read(queue))

    # The tools of the tests.

    def setup_method(self) -> None:
        """Prepare a test with a unique name and without systems."""
        self._name = f't{secrets.token_hex(6)}'
        self._systems: list[BaseEventSystem] = []

    def teardown_method(self) -> None:
        """Stop all systems, which ends their temporary queues."""
        systems, self._systems = self._systems, []
        for system in systems:
            self._end(system)

    def start(self, pool_size: int | None = None) -> BaseEventSystem:
        """Return a started system whose workers run at most `pool_size` handlers."""
        system = self.make_event_system()
        system._workers = Workers(pool_size)  # noqa: SLF001 - as a container would give it
        system.on_start()
        self._systems.append(system)
        return system

    def stop(self, system: BaseEventSystem) -> None:
        """Stop a system as a container does: handlers that still run are killed."""
        self._systems.remove(system)
        self._end(system)

    def subscribe(
        self,
        system: BaseEventSystem,
        handler: Callable[[Event], Any],
        *topics: str,
        queue: str = 'queue',
        **options: Any,
    ) -> Subscription:
        """Subscribe `handler` to topics of this test and return the subscription."""
        subscription = Subscription(
            queue_name=self.queue(queue),
            event_types=tuple(self.topic(topic) for topic in topics or ('thing',)),
            handler=handler,
            **options,
        )
        system.subscribe(subscription)
        return subscription

    def emit(
        self, system: BaseEventSystem, n: Any = 0, topic: str = 'thing', **options: Any
    ) -> Event:
        """Emit an event with the parameter `n` and return it."""
        event = Event(self.topic(topic), {'n': n})
        system.emit(event, **options)
        return event

    def topic(self, topic: str) -> str:
        """Return a topic, or a pattern, that only this test uses."""
        return f'{self._name}.{topic}'

    def queue(self, name: str = 'queue') -> str:
        """Return the name of a queue that only this test uses."""
        return f'{self._name}.{name}'

    def eventually(self, condition: Callable[[], Any]) -> Any:
        """Wait for a condition as long as this backend may need; return its value."""
        return eventually(condition, self.patience)

    def settle(self) -> None:
        """Wait as long as an event that must not arrive would need."""
        gevent.sleep(self.settling)

    def _end(self, system: BaseEventSystem) -> None:
        system.pause()
        system.workers.kill()
        system.on_stop()
        system.pool.kill()
