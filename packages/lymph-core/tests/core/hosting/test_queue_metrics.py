"""Metrics of the queues of an instance."""

from __future__ import annotations

import gevent
import pytest

import lymph
from lymph.exceptions import LymphError
from lymph.testing.waiting import eventually


class Shop(lymph.Interface):
    @lymph.event('order.placed', sequential=True)
    def on_order(self, event):
        event.body['gate'] and gevent.sleep(1000)

    @lymph.event('order.*', broadcast=True)
    def on_any(self, event):
        pass

    @lymph.task()
    def send(self):
        pass


def figures(container, queue='shop.on_order'):
    """Return the metrics of a queue as `lymph.get_metrics` returns them."""
    samples = container.request(container.endpoint, 'lymph.get_metrics')
    return {
        name.partition('.')[2]: value
        for name, value, tags in samples
        if name.startswith('queues.') and tags['queue'] == queue
    }


def test_counts_of_the_queues_are_metrics(world):
    container = world.container((Shop, 'shop'))
    for _ in range(3):
        container.emit_event('order.placed', {'gate': True})
    eventually(lambda: figures(container).get('running') == 1)
    found = figures(container)
    assert found.pop('bytes') > 0
    assert 0 <= found.pop('oldest') < 600
    assert found == {'waiting': 2, 'delayed': 0, 'running': 1, 'consumers': 1, 'dead': 0}
    assert figures(container, 'shop.send')['consumers'] == 0


def test_metrics_include_only_durable_queues_of_the_instance(world):
    container = world.container((Shop, 'shop'))
    world.container((Shop, 'other'))
    names = {tags['queue'] for name, _, tags in container.metrics if name.startswith('queues.')}
    assert names == {'shop.on_order', 'shop.send'}


def test_unknown_counts_are_left_out(world):
    container = world.container((Shop, 'shop'))
    assert 'oldest' not in figures(container)
    assert figures(world.container((Shop, 'shop'), events=False)) == {}


@pytest.mark.parametrize('outcome', ['fails', 'is silent'])
def test_event_system_that_does_not_answer_does_not_affect_other_metrics(
    world, monkeypatch, outcome
):
    container = world.container((Shop, 'shop'))

    def glance(names):
        if outcome == 'fails':
            raise LymphError('no answer')
        gevent.sleep(1000)

    monkeypatch.setattr(container.events.queues, 'glance', glance)
    for _ in range(2):
        names = {name for name, _, _ in container.metrics}
        assert 'events.handled' in names
        assert not any(name.startswith('queues.') for name in names)


def test_event_system_is_asked_only_when_metrics_are_read(world, monkeypatch):
    container = world.container((Shop, 'shop'), start=False)
    looks = []
    really = container.events.queues.glance
    monkeypatch.setattr(
        container.events.queues, 'glance', lambda names: looks.append(1) or really(names)
    )
    container.start()
    for _ in range(20):
        container.emit_event('order.placed', {'gate': False})
    assert looks == []
    list(container.metrics)
    assert looks == [1]


def test_stopped_container_has_no_queue_metrics(world):
    container = world.container((Shop, 'shop'))
    container.stop()
    assert not any(name.startswith('queues.') for name, _, _ in container.metrics)
