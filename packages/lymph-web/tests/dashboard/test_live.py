"""What services do, as it happens, and only while somebody looks."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import gevent
import pytest

from lymph.exceptions import LookupFailure
from lymph.testing.waiting import eventually
from lymph.web._dashboard import live, polling


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll often, and stop soon."""
    monkeypatch.setattr(polling, 'INTERVAL', 0.05)
    monkeypatch.setattr(polling, '_SHORTEST', 0.05)
    monkeypatch.setattr(polling, '_LINGER', 0.2)


def snapshot_with(events: Any, name: str, **facts: Any) -> dict[str, Any]:
    """Return the service of this name as soon as it is there with these facts."""
    with gevent.Timeout(10):
        for _, snapshot in events:
            for service in snapshot['services']:
                if service['name'] == name and facts.items() <= service.items():
                    return dict(service)
    raise AssertionError(name)


def test_stream_begins_with_facts_and_history_and_goes_on_with_snapshots(world: Any) -> None:
    world.shop()
    asking = world.dashboard()
    with closing(asking.events('/data/live')) as events:
        name, hello = next(events)
        assert (name, hello['read_only'], hello['window']) == ('hello', False, 900.0)
        assert next(events) == ('history', {'times': []})
        name, snapshot = next(events)
        assert name == 'snapshot'
        found = {each['name']: each for each in snapshot['services']}
        assert (found['shop']['health'], found['shop']['up']) == ('good', 1)
        assert found['shop']['rate'] is None  # there is nothing to compare with


def test_rates_move_under_load(world: Any) -> None:
    world.shop()
    asking = world.dashboard()
    container = asking.dashboard.container
    with closing(asking.events('/data/live', 'snapshot')) as events:
        snapshot_with(events, 'shop', rate=0.0)
        for _ in range(50):
            container.request('shop', 'shop.order', {'article': 'sock'})
        with gevent.Timeout(10):
            while True:
                shop = snapshot_with(events, 'shop', health='good')
                if shop['rate']:
                    break
        assert shop['errors'] == 0.0
        assert shop['p99'] > 0


def test_new_page_gets_the_history_of_those_before(world: Any) -> None:
    world.shop()
    asking = world.dashboard()
    with closing(asking.events('/data/live', 'snapshot')) as events:
        for _ in range(4):
            last = next(events)[1]
    with closing(asking.events('/data/live', 'history')) as events:
        _, history = next(events)
    assert len(history['times']) >= 3
    assert round(last['at'], 1) in history['times']
    assert len(history['services']['shop']['rate']) == len(history['times'])


def test_instances_are_asked_only_while_somebody_looks(world: Any) -> None:
    world.shop()
    asking = world.dashboard()
    polled = asking.dashboard._polling
    assert polled._running is None
    with closing(asking.events('/data/live', 'snapshot')) as events:
        next(events)
        assert polled._running is not None
    eventually(lambda: polled._running is None, 10)
    assert len(asking.dashboard._streams) == 0


def test_service_is_told_with_its_instances_and_methods(world: Any) -> None:
    shop = world.shop()
    asking = world.dashboard()
    shop.request('shop', 'shop.order', {'article': 'sock'})
    answer = asking.ask('/data/services/shop')
    assert answer.headers['Cache-Control'] == 'no-store'
    facts = answer.json
    [member] = facts['members']
    assert (member['identity'], member['status']) == (shop.identity, 'up')
    assert [each['name'] for each in facts['methods']] == ['shop.order']
    assert facts['methods'][0]['total'] == 1


def test_service_that_is_not_there_is_not_found(world: Any) -> None:
    asking = world.dashboard()
    assert asking.ask('/data/services/nothing').status == 404
    assert asking.ask('/data/services/a%2Fb').status == 404


def test_instance_that_goes_away_is_told(world: Any) -> None:
    world.shop()
    second = world.shop()
    asking = world.dashboard()
    with closing(asking.events('/data/live', 'snapshot')) as events:
        snapshot_with(events, 'shop', up=2)
        second.stop()
        snapshot_with(events, 'shop', up=1, instances=1)


def test_registry_that_is_away_is_told_and_services_stay(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.shop()
    asking = world.dashboard()
    registry = asking.dashboard.container.registry

    def fail(*_arguments: Any) -> Any:
        raise LookupFailure('the registry is away')

    with closing(asking.events('/data/live', 'snapshot')) as events:
        snapshot_with(events, 'shop')
        monkeypatch.setattr(registry, 'discover', fail)
        with gevent.Timeout(10):
            snapshot = next(each for _, each in events if each['problems'])
        assert 'is away' in snapshot['problems']['registry']
        assert 'shop' in {each['name'] for each in snapshot['services']}


def test_streams_are_bounded(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, '_MOST', 1)
    asking = world.dashboard()
    with closing(asking.events('/data/live')) as events:
        next(events)
        answer = asking.ask('/data/logs')
        assert (answer.status, answer.headers['Retry-After']) == (503, '5')


def test_streams_end_in_a_drain(world: Any) -> None:
    asking = world.dashboard()
    with closing(asking.events('/data/live')) as events:
        next(events)
        draining = gevent.spawn(asking.dashboard.container.drain)
        with gevent.Timeout(10):
            list(events)
        draining.get(timeout=10)


def test_polling_that_fails_ends_the_streams_and_begins_again(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = world.dashboard()

    def fail(snapshot: Any) -> None:
        raise RuntimeError('a fault of the dashboard')

    with monkeypatch.context() as patch:
        patch.setattr(polling, 'snapshot_facts', fail)
        with closing(asking.events('/data/live')) as events, gevent.Timeout(10):
            assert [name for name, _ in events] == ['hello', 'history']
    with closing(asking.events('/data/live', 'snapshot')) as events, gevent.Timeout(10):
        assert next(events)[0] == 'snapshot'


@pytest.mark.parametrize('path', ['/data/live?a=1', '/data/services/shop?a=1', '/data/logs?a=1'])
def test_unknown_parameters_are_refused(asking: Any, path: str) -> None:
    assert asking.ask(path).status == 400
