from __future__ import annotations

import pytest

from lymph.core.events import Event


def test_parameters_are_read_from_the_body():
    event = Event('task_done', {'a': 1})
    assert event['a'] == 1
    assert event.get('b') is None
    assert event.get('b', 2) == 2
    assert 'a' in event
    assert 'b' not in event
    with pytest.raises(KeyError):
        event['b']


def test_an_event_has_a_type_a_body_and_a_source():
    event = Event('task_done', {'a': 1}, 'worker', {'trace_id': 't'})
    assert (event.type, event.evt_type) == ('task_done', 'task_done')
    assert (event.body, event.source, event.headers) == ({'a': 1}, 'worker', {'trace_id': 't'})


def test_an_event_without_payload_has_an_empty_body():
    assert Event('a').body == {}
    assert Event('a').headers == {}


def test_event_copies_its_payload_and_headers():
    body, headers = {'a': 1}, {'h': 1}
    event = Event('a', body, headers=headers)
    body['a'] = headers['h'] = 2
    assert (event.body, event.headers) == ({'a': 1}, {'h': 1})


def test_each_event_has_an_id_of_its_own():
    assert Event('a').id != Event('a').id
    assert Event('a', id='known').id == 'known'


def test_an_event_prints_its_type_and_body():
    assert repr(Event('a.b', {'x': 1})) == "<Event a.b {'x': 1}>"


@pytest.mark.parametrize(
    'read',
    [list, dict, tuple, sorted, lambda event: [*event], lambda event: 'x' in list(event)],
)
def test_iterating_an_event_is_an_error_with_advice(read):
    with pytest.raises(TypeError, match=r'not iterable; iterate event\.body'):
        read(Event('type', {'x': 1}))


def test_event_knows_its_parameters_and_is_always_true():
    event = Event('type', {'x': 1})
    assert 'x' in event
    assert 'y' not in event
    assert 0 not in event
    assert Event('type')


@pytest.mark.parametrize('read', [len, reversed, lambda event: {**event}])
def test_event_is_not_a_collection(read):
    with pytest.raises(TypeError):
        read(Event('type', {'x': 1}))
