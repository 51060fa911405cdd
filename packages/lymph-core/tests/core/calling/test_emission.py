"""Figures of emitted events: what is safe, what is not and why, and how long that took."""

from __future__ import annotations

from collections import Counter

import gevent
import pytest

from lymph.core._calling.emission import MOST, EmitFigures
from lymph.core.events import Event
from lymph.core.limits import EVENT
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.exceptions import EmitFailure, EventTooLarge, SerializationError


class System:
    """An event system that does what a test wants."""

    def __init__(self):
        self.outcome = None
        self.state = None

    def emit(self, event, delay):
        if self.outcome is not None:
            raise self.outcome

    def connection_state(self):
        return self.state


@pytest.fixture
def system():
    return System()


@pytest.fixture
def emitted():
    return EmitFigures()


def counts(metrics, name):
    return Counter({next(iter(tags.values())): n for found, n, tags in metrics if found == name})


def total(metrics, name):
    return sum(value for found, value, _ in metrics if found == name)


def test_events_count_by_type(emitted, system):
    for name in ('order.placed', 'order.paid', 'order.paid'):
        emitted.emit(system, Event(name), 0)
    assert counts(emitted, 'events.emitted') == {'order.placed': 1, 'order.paid': 2}
    assert total(emitted, 'events.emit_duration.count') == 3


def test_number_of_types_is_limited(emitted, system):
    for n in range(MOST + 10):
        emitted.emit(system, Event(f'order.{n}'), 0)
    emitted.emit(system, Event('order.0'), 0)
    found = counts(emitted, 'events.emitted')
    assert len(found) == MOST + 1
    assert (found['other'], found['order.0']) == (10, 2)


@pytest.mark.parametrize(
    ('error', 'reason'),
    [
        (EmitFailure('no'), 'not_confirmed'),
        (EventTooLarge('no'), 'too_large'),
        (SerializationError('no'), 'invalid'),
        (ValueError('no'), 'invalid'),
        (RuntimeError('no'), 'other'),
        (gevent.GreenletExit(), 'cancelled'),
        (gevent.Timeout(), 'cancelled'),
    ],
)
def test_failure_has_a_reason_and_is_raised_again(emitted, system, error, reason):
    system.outcome = error
    with pytest.raises(type(error)):
        emitted.emit(system, Event('order.placed'), 0)
    assert counts(emitted, 'events.emit_failed') == {reason: 1}
    assert counts(emitted, 'events.emitted') == {}
    assert total(emitted, 'events.emit_duration.count') == 1


@pytest.mark.parametrize(('connected', 'reason'), [(False, 'unreachable'), (True, 'not_confirmed')])
def test_failure_without_a_connection_is_told_apart(emitted, system, connected, reason):
    system.outcome, system.state = EmitFailure('no'), ConnectionState(connected, 0.0)
    with pytest.raises(EmitFailure):
        emitted.emit(system, Event('order.placed'), 0)
    assert counts(emitted, 'events.emit_failed') == {reason: 1}


def test_event_system_that_cannot_tell_its_state_does_not_hide_the_failure(emitted, system):
    system.outcome, system.connection_state = EmitFailure('no'), None  # which cannot be called
    with pytest.raises(EmitFailure):
        emitted.emit(system, Event('order.placed'), 0)
    assert counts(emitted, 'events.emit_failed') == {'not_confirmed': 1}


@pytest.mark.parametrize('trace_id', [7, None, 'x' * 1000])
def test_trace_id_of_another_form_is_no_exemplar(emitted, system, trace_id):
    emitted.emit(system, Event('order.placed', headers={'trace_id': trace_id}), 0)
    assert not any(value.exemplar for _, value, tags in emitted if 'le' in tags)


def test_container_counts_what_it_emits_delayed_or_not(world):
    container = world.container()
    container.emit_event('order.placed')
    container.emit_event('order.placed', delay=60)
    assert counts(container.metrics, 'events.emitted') == {'order.placed': 2}
    with pytest.raises(ValueError, match='order'):
        container.emit_event('order.*')
    with pytest.raises(EventTooLarge):
        container.emit_event('order.placed', {'blob': bytes(EVENT + 1)})
    assert counts(container.metrics, 'events.emit_failed') == {'invalid': 1, 'too_large': 1}
