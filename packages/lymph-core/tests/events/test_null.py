from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.null import NullEventSystem
from lymph.exceptions import SerializationError, SubscriptionError


def handler(event):
    pytest.fail('an event was delivered')


def test_emitted_events_are_discarded():
    system = NullEventSystem()
    system.on_start()
    subscription = Subscription('queue', ('thing', 'other.#'), handler)
    system.subscribe(subscription)
    system.emit(Event('thing', {'n': 1}))
    system.emit(Event('thing', {'n': 1}), delay=1)
    system.unsubscribe(subscription)
    system.subscribe(subscription)
    system.pause()
    system.on_stop()
    assert system.dead_letters is None


def test_invalid_events_and_subscriptions_are_rejected():
    system = NullEventSystem()
    with pytest.raises(SerializationError, match=r'at body\.n'):
        system.emit(Event('thing', {'n': object()}))
    with pytest.raises(ValueError, match='without wildcards'):
        system.emit(Event('thing.*', {}))
    with pytest.raises(ValueError, match='delay'):
        system.emit(Event('thing', {}), delay=-1)
    with pytest.raises(SubscriptionError, match='words of their own'):
        system.subscribe(Subscription('queue', ('thing*',), handler))
    system.subscribe(Subscription('queue', ('thing',), handler))
    with pytest.raises(SubscriptionError, match='consumed already'):
        system.subscribe(Subscription('queue', ('other',), handler))


@pytest.mark.parametrize('name', ['null', 'lymph.events.null:NullEventSystem'])
def test_null_event_system_can_be_configured(name):
    config = Configuration({'events': {'class': name}})
    made = config.create_instance('events', group='lymph.events')
    assert isinstance(made, NullEventSystem)


def test_unknown_option_is_rejected():
    config = Configuration({'events': {'class': 'null', 'path': '/tmp'}})
    with pytest.raises(ConfigurationError, match=r'^events\.path: unknown option'):
        config.create_instance('events', group='lymph.events')
