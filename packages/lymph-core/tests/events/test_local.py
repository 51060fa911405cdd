from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.events import Event
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.testing.contracts._events.versions import UnbindingContract
from lymph.testing.contracts.events import EventSystemContract, Inbox
from lymph.testing.waiting import eventually


class TestLocalEventSystem(EventSystemContract, UnbindingContract):
    settling = 0.02

    def setup_method(self):
        super().setup_method()
        self.hub = LocalEventSystemHub()

    def make_event_system(self):
        return LocalEventSystem(self.hub, Backoff(first=0.05))


@pytest.fixture
def start():
    systems = []

    def start(*args, **kwargs):
        system = LocalEventSystem(*args, **kwargs)
        system.on_start()
        systems.append(system)
        return system

    yield start
    for system in systems:
        system.on_stop()
        system.workers.kill()
        system.pool.kill()


def test_systems_without_a_common_hub_are_isolated(start):
    first, second, inbox = start(), start(), Inbox()
    second.subscribe(Subscription('queue', ('thing',), inbox))
    first.emit(Event('thing', {'n': 1}))
    second.emit(Event('thing', {'n': 2}))
    eventually(lambda: inbox.events)
    assert inbox.numbers == [2]


def test_hub_can_be_shared_through_the_configuration():
    config = Configuration(
        {
            'dependencies': {'hub': {'class': 'lymph.events.local:LocalEventSystemHub'}},
            'events': {'class': 'local', 'hub': 'dep:hub'},
            'alone': {'class': 'local'},
        }
    )
    first = config.create_instance('events', group='lymph.events')
    second = config.create_instance('events', group='lymph.events')
    assert first is not second
    assert first.hub is second.hub
    assert config.create_instance('alone', group='lymph.events').hub is not first.hub


@pytest.mark.parametrize('section', [{'hup': 'dep:hub'}, {'hub': 'a hub'}, {'hub': 7}])
def test_invalid_option_is_an_error_that_names_its_place(section):
    config = Configuration({'events': {'class': 'local', **section}})
    with pytest.raises(ConfigurationError, match=r'^events\.hu[bp]: '):
        config.create_instance('events', group='lymph.events')
