"""Interceptors wrap events that are emitted, and each attempt to handle one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lymph.core.decorators import task
from lymph.core.events import Event
from lymph.core.interceptors import Interceptor, Work
from lymph.core.interfaces import Interface
from lymph.core.plugins import Plugin
from lymph.exceptions import EventRejected
from lymph.testing.contracts._events.interfaces import InterfacesContract

__all__ = ['InterceptionContract']


class _Heard(Plugin, Interceptor):
    """Adds to what is emitted, and records how each unit of work ends."""

    kinds = ('emit', 'event', 'task')

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.heard: list[tuple[Any, ...]] = []
        self.works: list[Work] = []

    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        if work.kind == 'emit':
            work.headers['user'] = 'ada'
            work.arguments['n'] += 1
        self.works.append(work)
        outcome = None
        try:
            return proceed()
        except BaseException as error:
            outcome = type(error)
            raise
        finally:
            self.heard.append((work.kind, work.attempt, work.arguments['n'], outcome))


class _Refusing(Plugin, Interceptor):
    """Refuses to handle any event."""

    kinds = ('event',)

    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        raise EventRejected('not here')


class InterceptionContract(InterfacesContract):
    """Tests of interceptors and of the error hook, in containers."""

    def test_interceptors_see_the_emission_and_each_attempt(self) -> None:
        """They change payload and headers of what is emitted, and hear how each attempt ends."""
        shop = self.host(self.declare(retry=1), plugins=[_Heard])
        shop.fail = _fail_at_first
        told: list[dict[str, Any]] = []
        shop.error_hook.install(lambda error, **details: told.append(details))
        shop.emit(self.topic('thing'), {'n': 1})
        [plugin] = [each for each in shop.container.components if isinstance(each, _Heard)]
        self.eventually(lambda: len(plugin.heard) == 3)
        assert ('emit', 1, 2, None) in plugin.heard  # the handler may be faster than the emitter
        assert [each for each in plugin.heard if each[0] == 'event'] == [
            ('event', 1, 2, RuntimeError),
            ('event', 2, 2, None),
        ]
        emitted, *handled = plugin.works
        for work in handled:
            assert work.headers['user'] == 'ada'
            assert (work.name, work.peer) == (f'{shop.name}.on_event', shop.name)
            assert work.trace_id == emitted.trace_id
        self.eventually(lambda: told)
        assert [(each['trace_id'], each['attempt']) for each in told] == [(emitted.trace_id, 1)]

    def test_interceptors_see_tasks(self) -> None:
        """A task is a unit of work of its own kind."""

        class QueueingShop(Interface):
            @task()
            def work(self, n: int) -> None:
                pass

        worker = self.host(QueueingShop, worker=True, plugins=[_Heard])
        worker.work.apply(n=1)
        [plugin] = [each for each in worker.container.components if isinstance(each, _Heard)]
        self.eventually(lambda: ('task', 1, 2, None) in plugin.heard)

    def test_event_rejected_by_an_interceptor_becomes_a_dead_letter(self) -> None:
        """The handler is not called."""
        shop = self.host(self.declare(retry=5), plugins=[_Refusing])
        shop.emit(self.topic('thing'), {'n': 1})
        queue, events = f'{shop.name}.on_event', shop.container.events
        letters = self.eventually(lambda: self.read_dead_letters(events, queue))
        assert [letter.error for letter in letters] == ['EventRejected: not here']
        assert shop.heard.empty()


def _fail_at_first(event: Event) -> None:
    if event.attempt == 1:
        raise RuntimeError('not yet')
