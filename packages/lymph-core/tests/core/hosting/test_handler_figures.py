"""Counts of handled events: their names, their bounds, and times of other clocks."""

from __future__ import annotations

import time
from collections import defaultdict

import pytest

import lymph
from lymph.core._hosting.handler_figures import MOST, HandlerFigures
from lymph.core._work.handling import HandlerWork
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.patterns.serial_events import serial_event
from lymph.testing.waiting import eventually


def subscription(queue='shop.on_order', work=None, **options):
    return Subscription(queue, ('order.*',), print, work=work, **options)


def tags_of(figures):
    return [stats.tags for stats in figures._stats.values()]


@pytest.mark.parametrize(
    ('subscription', 'queue', 'kind'),
    [
        (subscription(), 'shop.on_order', 'event'),
        (
            subscription(broadcast=True, durable=False, work=HandlerWork('x')),
            'shop.on_order',
            'event',
        ),
        (subscription(work=HandlerWork('shop.send', kind='task')), 'shop.on_order', 'task'),
        (subscription('shop.f.51ce.7', HandlerWork('shop.f', runtime=True)), 'shop.f', 'event'),
        (subscription('mine.51ce', durable=False), 'temporary', 'event'),
    ],
)
def test_series_has_the_name_of_the_queue_unless_that_is_random(subscription, queue, kind):
    assert HandlerFigures().of(subscription).tags == {'queue': queue, 'kind': kind}


def test_queues_of_one_name_share_their_figures():
    figures = HandlerFigures()
    made = [figures.of(subscription(f'mine.{n}', durable=False)) for n in range(10)]
    assert all(each is made[0] for each in made)


def test_number_of_series_is_limited():
    figures = HandlerFigures()
    made = [figures.of(subscription(f'shop.on_{n}')) for n in range(MOST + 10)]
    assert made[MOST].tags['queue'] == 'other'
    assert all(each is made[MOST] for each in made[MOST:])
    assert figures.of(subscription('shop.on_3')) is made[3]
    names = {tags['queue'] for name, _, tags in figures if name == 'events.handled'}
    assert len(names) == MOST + 1


class Shop(lymph.Interface):
    @lymph.event('order', sequential=True)
    def on_order(self, event):
        pass

    @serial_event('paid', partition_count=2, key=lambda self, event: event['key'])
    def on_paid(self, event):
        pass


def figures(container, queue):
    found = defaultdict(float)
    for name, value, tags in container.metrics:
        if tags.get('queue') == queue and 'le' not in tags:
            found[name] += value
    return found


@pytest.fixture
def container(world):
    return world.container((Shop, 'shop'))


def handle(container, **facts):
    """Have the handler called with an event that has these facts; return the figures of lag."""
    container.events.emit(Event('order', **facts))
    eventually(lambda: figures(container, 'shop.on_order')['events.handled'] == 1)
    found = figures(container, 'shop.on_order')
    return found['events.lag.count'], found['events.lag.sum']


def test_time_that_an_event_has_waited_is_measured_from_when_it_was_due(container):
    count, seconds = handle(container, due=time.time() - 100)
    assert count == 1
    assert 100 <= seconds < 200


def test_event_from_a_clock_that_is_ahead_has_not_waited(container):
    assert handle(container, due=time.time() + 1000) == (1, 0)


def test_event_of_an_earlier_version_says_nothing_of_its_waiting(container):
    assert handle(container) == (0, 0)


def test_histograms_have_the_trace_as_exemplar(container):
    container.emit_event('order', headers={'trace_id': 'mine'})
    eventually(lambda: figures(container, 'shop.on_order')['events.handled'] == 1)
    traces = {
        (name, value.exemplar.trace_id)
        for name, value, tags in container.metrics
        if name.startswith('events.') and tags.get('le') and value.exemplar is not None
    }
    assert traces == {
        ('events.lag.bucket', 'mine'),
        ('events.duration.bucket', 'mine'),
        ('events.emit_duration.bucket', 'mine'),
    }


def test_serial_events_count_under_the_queue_of_their_partition(container):
    for n in range(20):
        container.emit_event('paid', {'key': str(n)})
    partitions = [f'shop.on_paid.{n}' for n in range(2)]

    def handled():
        return sum(figures(container, queue)['events.handled'] for queue in partitions)

    eventually(lambda: handled() == 20)
    lags = [figures(container, queue)['events.lag.count'] for queue in partitions]
    assert sum(lags) == 20
    assert figures(container, 'shop.on_paid')['events.handled'] == 20  # the feeder
