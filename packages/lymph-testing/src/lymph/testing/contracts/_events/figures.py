"""The metrics of handlers: attempts, dead letters, and how long events have waited."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import gevent
import pytest

from lymph.core.decorators import task
from lymph.core.events import Event
from lymph.core.interfaces import Interface
from lymph.exceptions import Timeout
from lymph.testing.contracts._events.interfaces import InterfacesContract

__all__ = ['FiguresContract']

_WAIT = 0.2  # seconds


class FiguresContract(InterfacesContract):
    """Tests of the metrics that a container has of events, in containers."""

    def test_attempts_are_counted_by_what_becomes_of_the_event(self) -> None:
        """An event that fails in two attempts is retried once and dead once."""
        shop = self.host(self.declare(retry=1))
        shop.fail = _fail_always
        shop.emit(self.topic('thing'), {'n': 1})
        queue = f'{self.queue("shop")}.on_event'
        self.eventually(lambda: _figures(shop, queue).get('dead') == 1)
        shop.fail = bool
        shop.emit(self.topic('thing'), {'n': 2})
        self.eventually(lambda: _figures(shop, queue)['handled'] == 1)
        found = _figures(shop, queue)
        counted = {name: found[name] for name in ('failed', 'retried', 'dead', 'running')}
        assert counted == {'failed': 2, 'retried': 1, 'dead': 1, 'running': 0}
        assert found['duration.count'] == 3
        assert found['seconds'] == found['duration.sum']

    def test_only_first_attempts_tell_how_long_events_have_waited(self) -> None:
        """Retries wait on purpose, so they do not count."""
        shop = self.host(self.declare(retry=1))
        shop.fail = _fail_at_first
        shop.emit(self.topic('thing'), {'n': 1})
        queue = f'{self.queue("shop")}.on_event'
        self.eventually(lambda: _figures(shop, queue).get('handled') == 1)
        assert _figures(shop, queue)['lag.count'] == 1

    def test_tasks_tell_how_long_they_have_waited_for_a_worker(self) -> None:
        """The worker counts them, as tasks; the instance that has emitted them counts that."""
        shop = self.host(_Queueing)
        shop.note.apply(n=1)
        gevent.sleep(_WAIT)
        worker = self.host(_Queueing, worker=True)
        queue = f'{self.queue("shop")}.note'
        self.eventually(lambda: _figures(worker, queue, 'task').get('handled') == 1)
        found = _figures(worker, queue, 'task')
        assert (found['lag.count'], found['duration.count']) == (1, 1)
        assert found['lag.sum'] >= 0.9 * _WAIT
        emitted = [value for name, value, _ in shop.metrics if name == 'events.emitted']
        assert emitted == [1]

    def test_an_event_is_due_when_its_delay_has_passed(self) -> None:
        """A handler learns when that was."""
        shop = self.host(self.declare())
        before = time.time()
        shop.emit(self.topic('thing'), {'n': 1}, delay=_WAIT)
        event, _ = shop.heard.get(timeout=self.patience)
        assert before + _WAIT - 0.001 <= event.due <= time.time() + _WAIT  # in milliseconds

    def test_queues_of_subscriptions_at_run_time_share_a_series(self) -> None:
        """There is one for each handler, however often it is subscribed."""
        shop = self.host(self.declare())
        for _ in range(3):
            shop.subscribe(self.topic('other'))(shop.hear)
            shop.emit(self.topic('other'), {'n': 1})
            shop.heard.get(timeout=self.patience)
            shop.unsubscribe(shop.hear)
            with pytest.raises(Timeout):
                shop.get_next_event(self.topic('nothing'), timeout=0.01)
        names = {tags['queue'] for name, _, tags in shop.metrics if name == 'events.handled'}
        name = self.queue('shop')
        assert names == {f'{name}.on_event', f'{name}.hear', f'{name}.get_next_event'}
        self.eventually(lambda: _figures(shop, f'{name}.hear')['handled'] == 3)


class _Queueing(Interface):
    """Runs one task."""

    @task()
    def note(self, n: int) -> None:
        """Do nothing."""


def _figures(interface: Any, queue: str, kind: str = 'event') -> dict[str, float]:
    """Return the metrics of a queue without their prefix; buckets of histograms are left out."""
    found: dict[str, float] = defaultdict(float)
    for name, value, tags in interface.metrics:
        if tags.get('queue') == queue and tags.get('kind') == kind and 'le' not in tags:
            found[name.removeprefix('events.')] += value
    return dict(found)


def _fail_always(event: Event) -> None:
    raise RuntimeError('no good')


def _fail_at_first(event: Event) -> None:
    if event.attempt == 1:
        raise RuntimeError('not yet')
