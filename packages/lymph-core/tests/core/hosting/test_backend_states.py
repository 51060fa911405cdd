"""States of the registry, the broker and the partitioner: metrics, and facts for an operator."""

from __future__ import annotations

import pytest

import lymph
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.monitoring.connection_states import ConnectionTracker
from lymph.patterns.serial_events import serial_event

BACKENDS = ['registry', 'broker', 'partitioner']


def figures(container):
    """Return the metrics of the backends as `lymph.get_metrics` returns them."""
    samples = container.request(container.endpoint, 'lymph.get_metrics')
    return {name: value for name, value, _ in samples if name.partition('.')[0] in BACKENDS}


def status(container):
    found = container.request(container.endpoint, 'lymph.status')
    return {name: found[name] for name in BACKENDS}


class Shop(lymph.Interface):
    @serial_event('paid', partition_count=1, key=lambda self, event: event['key'])
    def on_paid(self, event):
        pass


@pytest.fixture
def container(world):
    return world.container((Shop, 'shop'))


@pytest.fixture
def trackers(container, monkeypatch):
    """A tracker for each backend, which replaces its state."""
    backends = (container.registry, container.events, container.serial_events.partitioner)
    trackers = {}
    for name, backend in zip(BACKENDS, backends, strict=True):
        tracker = trackers[name] = ConnectionTracker(f'{name}:1', clock=lambda: 1000.0)
        monkeypatch.setattr(backend, 'connection_state', lambda tracker=tracker: tracker.state)
    return trackers


def test_backends_without_a_server_have_no_metrics_and_no_state(container):
    assert figures(container) == {}
    assert status(container) == {'registry': None, 'broker': None, 'partitioner': None}


@pytest.mark.parametrize('name', BACKENDS)
def test_state_of_each_backend_is_told(container, trackers, name):
    trackers[name].up('there:2')
    found = {key: value for key, value in figures(container).items() if key.startswith(name)}
    assert found == {
        f'{name}.connected': 1,
        f'{name}.connected_since': 1000.0,
        f'{name}.reconnects': 0,
    }
    trackers[name].down('it broke')
    found = {key: value for key, value in figures(container).items() if key.startswith(name)}
    assert found == {f'{name}.connected': 0, f'{name}.reconnects': 0}
    assert status(container)[name] == {
        'connected': False,
        'since': 1000.0,
        'reconnects': 0,
        'server': 'there:2',
        'reason': 'it broke',
    }
    trackers[name].up('there:3')
    assert figures(container)[f'{name}.reconnects'] == 1


def test_backend_that_cannot_tell_its_state_does_not_affect_the_others(
    container, trackers, monkeypatch, caplog
):
    def fail():
        raise RuntimeError('a fault of a plugin')

    trackers['broker'].up('there:2')
    monkeypatch.setattr(container.registry, 'connection_state', fail)
    for _ in range(3):
        assert figures(container)['broker.connected'] == 1
        assert status(container)['registry'] is None
    assert len([r for r in caplog.records if 'cannot tell its state' in r.getMessage()]) == 1


def test_backends_of_a_client_have_a_state_once_they_are_used(monkeypatch, tmp_path):
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path))
    with Client.from_config(Configuration({})) as client:
        states = client.container.backend_states
        assert (states.state('registry'), states.state('broker')) == (None, None)
        client.container.discover()
        assert states.state('registry').connected
        client.emit('order.placed')
        assert states.state('broker').connected
        assert 'broker.connected' in {name for name, _, _ in client.container.metrics}


def test_partitioner_has_a_state_only_where_handlers_need_it(world, monkeypatch):
    container = world.container()
    tracker = ConnectionTracker()
    partitioner = container.serial_events.partitioner
    monkeypatch.setattr(partitioner, 'connection_state', lambda: tracker.state)
    assert status(container)['partitioner'] is None


def test_states_of_a_client_that_emits_nothing_make_no_event_system(monkeypatch, tmp_path):
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path))
    config = Configuration({'container': {'registry': {'class': 'static'}}})
    with Client.from_config(config) as client:
        assert client.container.backend_states.state('broker') is None
        assert client.container.status()['broker'] is None
    assert list(tmp_path.iterdir()) == []
