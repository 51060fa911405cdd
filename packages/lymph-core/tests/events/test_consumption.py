"""The rules of consumption, tested with a scripted store."""

from __future__ import annotations

import gevent
import pytest
from gevent import Timeout
from gevent.event import Event as Signal

from lymph.core.components import Component
from lymph.core.events import Event
from lymph.core.workers import Workers
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.consumption import Consumption
from lymph.events.envelope import pack_event
from lymph.events.leases import Delivery, Leased
from lymph.exceptions import LymphError
from lymph.testing.contracts.events import Gate, Inbox
from lymph.testing.waiting import eventually, let_pass


class Store:
    """A store that leases the events in `queue` and records all demands and outcomes."""

    def __init__(self):
        self.queue = []
        self.demands = []
        self.outcomes = []
        self.on_lease = lambda: None
        self.error = None
        self.due = {}
        self.claims = {}
        self.lost = False
        self.most = 1000

    def put(self, *numbers):
        for n in numbers:
            self.queue.append(Delivery(n, 'queue', pack_event(Event('thing', {'n': n})), 1))

    def lease(self, demands):
        self.demands.append({demand.queue: demand.count for demand in demands})
        self.claims = {demand.queue: demand.claim for demand in demands}
        if self.error is not None:
            raise self.error
        count = sum(demand.count for demand in demands if demand.queue == 'queue')
        count = min(count, self.most)
        leased, self.queue = self.queue[:count], self.queue[count:]
        self.on_lease()
        return Leased(leased, self.due)

    def acknowledge(self, delivery):
        self.outcomes.append(('acknowledged', delivery.id))

    def retry(self, delivery, delay):
        self.outcomes.append(('retried', delivery.id))

    def bury(self, delivery, error):
        self.outcomes.append(('buried', delivery.id))

    def release(self, deliveries, started):
        word = 'interrupted' if started else 'returned'
        self.outcomes.extend((word, delivery.id) for delivery in deliveries)

    def holds(self, claim):
        return claim in self.claims.values() and not self.lost

    def let_go(self, queue, claim):
        self.outcomes.append(('let go', queue))


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def component():
    component = Component(workers=Workers(3))
    yield component
    component.workers.kill()
    component.pool.kill()


@pytest.fixture
def consumption(component, store):
    consumption = Consumption(component, store, lambda subscription: None, Backoff())
    consumption.start()
    yield consumption
    consumption.stop()


def subscription(handler, **options):
    return Subscription('queue', ('thing',), handler, **options)


def test_no_more_events_are_leased_than_workers_are_free(consumption, store):
    gate = Gate()
    store.put(*range(10))
    consumption.add('queue', subscription(gate))
    eventually(lambda: len(gate.inside) == 3)
    assert store.demands == [{'queue': 3}]
    gate.open()
    eventually(lambda: len(gate.done) == 10)


def test_queues_take_turns_when_workers_are_few(consumption, store):
    store.put(*range(100))
    inbox = Inbox(lambda event: let_pass(0.001, 'a handler that takes its time'))
    consumption.add('queue', subscription(inbox))
    consumption.add('other', subscription(inbox))
    eventually(lambda: len(inbox.events) == 100)
    assert [list(demands) for demands in store.demands[:3]] == [['queue'], ['other'], ['queue']]


def test_queues_beyond_the_number_of_workers_are_polled_without_another_wake_up(consumption, store):
    inbox = Inbox()
    for n in range(10):
        consumption.add(f'empty {n}', subscription(inbox))
    store.put(1)
    consumption.add('queue', subscription(inbox))
    eventually(lambda: inbox.numbers == [1])
    assert len({name for demands in store.demands for name in demands}) == 11


def test_queues_left_out_of_a_full_lease_come_first(component, store):
    component._workers = Workers(100)
    inbox, due = Inbox(), {'queue': 0, 'other': 0}
    consumption = Consumption(component, store, lambda subscription: None, Backoff())
    store.put(1, 2, 3)
    store.most = 1
    store.on_lease = lambda: setattr(store, 'due', due if store.queue else {})
    consumption.add('queue', subscription(inbox))
    consumption.add('other', subscription(inbox))
    consumption.start()
    eventually(lambda: inbox.numbers == [1, 2, 3])
    assert list(map(list, store.demands[:2])) == [['queue', 'other'], ['other', 'queue']]
    consumption.stop()


def test_wake_up_during_a_lease_is_not_lost(consumption, store):
    inbox = Inbox()

    def rung_meanwhile():
        store.on_lease = lambda: None
        store.put(1)
        consumption.ring('queue')

    store.on_lease = rung_meanwhile
    consumption.add('queue', subscription(inbox))
    eventually(lambda: inbox.numbers == [1])


def test_queue_is_leased_from_again_only_after_its_wake_up(consumption, store):
    inbox = Inbox()
    consumption.add('queue', subscription(inbox))
    eventually(lambda: len(store.demands) == 1)
    consumption.ring('unknown')
    gevent.idle()
    assert len(store.demands) == 1
    store.put(1)
    consumption.ring('queue')
    eventually(lambda: inbox.numbers == [1])
    assert len(store.demands) == 2


def test_queue_is_polled_again_when_its_delayed_event_is_due(consumption, store):
    inbox = Inbox()
    store.due = {'queue': 0.05}
    consumption.add('queue', subscription(inbox))
    eventually(lambda: len(store.demands) == 1)
    store.due = {}
    store.put(1)
    eventually(lambda: inbox.numbers == [1])


def test_lease_is_retried_after_an_error_of_the_store(consumption, store, monkeypatch):
    monkeypatch.setattr('lymph.events.consumption._AFTER_ERROR', 0.01)
    inbox = Inbox()
    store.put(1)
    store.error = LymphError('no disk')
    consumption.add('queue', subscription(inbox))
    eventually(lambda: len(store.demands) > 2)
    store.error = None
    eventually(lambda: inbox.numbers == [1])


def test_persistent_error_of_the_store_is_logged_once_a_minute(
    consumption, store, monkeypatch, caplog
):
    monkeypatch.setattr('lymph.events.consumption._AFTER_ERROR', 0.001)
    store.error = LymphError('no disk')
    consumption.add('queue', subscription(Inbox()))
    eventually(lambda: len(store.demands) > 5)
    assert caplog.messages == ['cannot fetch events, trying again: no disk']


def test_no_event_is_leased_until_a_worker_is_free(consumption, store, component):
    busy, inbox = Signal(), Inbox()
    for _ in range(3):
        component.workers.start(busy.wait)
    store.put(1)
    consumption.add('queue', subscription(inbox))
    gevent.idle()
    assert store.demands == []
    busy.set()
    eventually(lambda: inbox.numbers == [1])


def test_events_leased_for_an_ended_subscription_are_returned(consumption, store):
    inbox = Inbox()
    store.put(1, 2)
    store.on_lease = lambda: consumption.remove('queue')
    consumption.add('queue', subscription(inbox))
    eventually(lambda: store.outcomes == [('returned', 1), ('returned', 2)])
    assert inbox.events == []


def test_events_leased_while_pausing_are_returned(consumption, store):
    inbox = Inbox()
    store.put(1, 2)
    store.on_lease = consumption.pause
    consumption.add('queue', subscription(inbox))
    eventually(lambda: sorted(store.outcomes) == [('returned', 1), ('returned', 2)])
    assert inbox.events == []


def test_events_waiting_for_a_worker_are_returned_on_stop(consumption, store, component):
    busy, inbox = Signal(), Inbox()

    def take_the_places():
        for _ in range(3):
            component.workers.start(busy.wait)

    store.put(1, 2)
    store.on_lease = take_the_places
    consumption.add('queue', subscription(inbox))
    eventually(lambda: store.queue == [])
    consumption.stop()
    assert sorted(store.outcomes) == [('returned', 1), ('returned', 2)]
    busy.set()


def test_event_of_a_killed_handler_is_released(consumption, store, component):
    gate = Gate()
    store.put(1)
    consumption.add('queue', subscription(gate))
    eventually(lambda: gate.inside)
    assert component.workers.kill() == 1
    assert store.outcomes == [('interrupted', 1)]


def test_error_of_a_handler_reaches_the_error_hook(consumption, store, component):
    def broken(event):
        raise KeyError('name')

    heard = []
    component.error_hook.install(lambda error, **details: heard.append((error, details)))
    store.put(1)
    consumption.add('queue', subscription(broken, retry=1))
    eventually(lambda: store.outcomes == [('retried', 1)])
    ((error, details),) = heard
    assert isinstance(error, KeyError)
    assert details['function'] is broken


def test_once_subscription_leases_exactly_one_event(component, store):
    finished, inbox = [], Inbox()
    consumption = Consumption(component, store, finished.append, Backoff())
    consumption.start()
    store.put(1, 2)
    once = subscription(inbox, once=True)
    consumption.add('queue', once)
    eventually(lambda: finished == [once])
    consumption.ring('queue')
    gevent.idle()
    assert inbox.numbers == [1]
    assert store.demands == [{'queue': 1}]
    consumption.stop()


# Exclusive queues.


def test_handler_is_not_called_if_the_queue_was_lost_since_the_lease(consumption, store):
    inbox = Inbox()
    store.lost = True
    store.put(1)
    consumption.add('queue', subscription(inbox, exclusive=True))
    eventually(lambda: ('returned', 1) in store.outcomes)
    assert inbox.events == []
    store.lost = False
    store.put(1)
    consumption.ring('queue')
    eventually(lambda: inbox.numbers == [1])


def test_exclusive_queue_is_leased_one_event_at_a_time_with_a_claim(consumption, store):
    gate = Gate()
    store.put(1, 2)
    consumption.add('queue', subscription(gate, exclusive=True))
    eventually(lambda: gate.inside)
    assert store.demands == [{'queue': 1}]
    assert store.claims['queue'] is not None
    gate.open()
    eventually(lambda: len(gate.done) == 2)


@pytest.mark.parametrize('leave', [lambda c: c.remove('queue'), lambda c: c.pause()])
def test_exclusive_queue_is_released_after_its_running_handler_has_finished(
    consumption, store, leave
):
    gate = Gate()
    store.put(1)
    consumption.add('queue', subscription(gate, exclusive=True))
    eventually(lambda: gate.inside)
    leave(consumption)
    assert ('let go', 'queue') not in store.outcomes
    gate.open()
    eventually(lambda: store.outcomes == [('acknowledged', 1), ('let go', 'queue')])


def test_claim_obtained_after_its_consumer_left_is_released(consumption, store):
    inbox = Inbox()
    store.on_lease = lambda: consumption.remove('queue')
    store.put(1)
    consumption.add('queue', subscription(inbox, exclusive=True))
    eventually(lambda: len(store.outcomes) >= 3)
    assert store.outcomes[-2:] == [('returned', 1), ('let go', 'queue')]
    assert inbox.events == []


@pytest.mark.parametrize('error', [RuntimeError('broken'), SystemExit(1), KeyError(), Timeout(1)])
def test_queue_is_polled_again_after_any_exception_of_a_lease(
    error, consumption, store, monkeypatch
):
    monkeypatch.setattr('lymph.events.consumption._AFTER_ERROR', 0.01)
    store.error, inbox = error, Inbox()
    consumption.add('queue', subscription(inbox))
    eventually(lambda: len(store.demands) > 2)
    store.error = None
    store.put(1)
    eventually(lambda: inbox.numbers == [1])


def test_event_whose_outcome_cannot_be_stored_is_released_after_a_pause(
    consumption, store, monkeypatch, component
):
    def fail(delivery, *details):
        raise SystemExit(1)

    monkeypatch.setattr('lymph.events.consumption._AFTER_ERROR', 0.01)
    inbox = Inbox()
    monkeypatch.setattr(store, 'acknowledge', fail)
    consumption.add('queue', subscription(inbox))
    store.put(1)
    consumption.ring('queue')
    eventually(lambda: store.outcomes == [('interrupted', 1)])
    assert component.workers.join(5)
    monkeypatch.undo()
    store.put(2)
    consumption.ring('queue')
    eventually(lambda: store.outcomes[1:] == [('acknowledged', 2)])


def test_failure_is_stored_before_it_is_reported(consumption, store, component):
    told = []
    component.error_hook.install(lambda error, **details: told.append(list(store.outcomes)))

    def fail(event):
        raise RuntimeError('no good')

    store.put(1)
    consumption.add('queue', subscription(fail))
    eventually(lambda: told)
    assert told == [[('buried', 1)]]
