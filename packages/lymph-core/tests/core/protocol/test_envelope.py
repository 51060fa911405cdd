from __future__ import annotations

import pytest

from lymph.core import trace
from lymph.core.events import Event
from lymph.events.envelope import event_from, pack_event, unpack_event
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

WHOLE = {'type': 'thing', 'id': 'x', 'body': {}, 'source': 'shop', 'headers': {}}


def test_event_survives_a_round_trip():
    sent = Event('thing', {'n': {1, 2}}, source='shop', headers={'trace_id': 'abc'})
    event = unpack_event(pack_event(sent), attempt=3)
    assert (event.type, event.id, event.source) == ('thing', sent.id, 'shop')
    assert event.body == {'n': {1, 2}}
    assert event.headers == {'trace_id': 'abc'}
    assert event.attempt == 3


def test_source_and_headers_may_be_missing_and_unknown_keys_are_ignored():
    event = event_from({'type': 'thing', 'id': 'x', 'body': {'n': 1}, 'later': 'addition'})
    assert (event.source, event.headers, event.body) == (None, {}, {'n': 1})


@pytest.mark.parametrize('value', [None, 7, 'thing', [], ['thing'], {}])
def test_malformed_event_is_rejected(value):
    with pytest.raises(SerializationError, match='expected'):
        event_from(value)


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('type', None, 'expected text as type of an event, found nothing'),
        ('type', 7, 'expected text as type of an event, found int'),
        ('id', b'x', 'expected text as id of an event, found bytes'),
        ('body', [1], 'expected a mapping as body of an event, found list'),
        ('body', None, 'expected a mapping as body of an event, found nothing'),
        ('source', {}, 'expected text as source of an event, found dict'),
        ('headers', 'x', 'expected a mapping as headers of an event, found str'),
    ],
)
def test_invalid_member_is_named(key, value, words):
    with pytest.raises(SerializationError, match=words):
        event_from({**WHOLE, key: value})


@pytest.mark.parametrize(
    ('event', 'words'),
    [
        (Event('thing', id=7), 'expected text as id of an event, found int'),
        (Event('thing', id=b'x'), 'expected text as id of an event, found bytes'),
        (Event('thing', source=7), 'expected text as source of an event, found int'),
    ],
)
def test_event_that_receivers_would_reject_is_not_packed(event, words):
    with pytest.raises(SerializationError, match=words):
        pack_event(event)


@pytest.mark.parametrize('data', [b'', b'\xc1', b'\x81', pack(WHOLE)[:-1], pack([WHOLE])])
def test_bytes_without_an_event_are_rejected(data):
    with pytest.raises(SerializationError):
        unpack_event(data)


@pytest.mark.parametrize('id', ['a\nb', '', 'x' * 129, 5, None, ['x'] * 1000], ids=repr)
def test_invalid_trace_id_is_replaced_and_the_event_kept(id):
    event = event_from({**WHOLE, 'headers': {'trace_id': id, 'other': 1}})
    assert trace.is_valid(event.headers['trace_id'])
    assert event.headers['other'] == 1


def test_event_without_a_trace_id_gets_none():
    assert event_from(WHOLE).headers == {}


@pytest.mark.parametrize(
    ('key', 'value', 'words'),
    [
        ('type', 'x' * 256, 'a text of at most 255 bytes as type'),
        ('type', 'ä' * 200, 'a text of at most 255 bytes as type'),
        ('id', 'x' * 10**7, 'a text of at most 255 bytes as id'),
        ('source', 'x' * 256, 'a text of at most 255 bytes as source'),
        ('headers', {'x': 'y' * 17_000}, 'headers of at most 16384 bytes for an event, found 17'),
        ('headers', {str(n): None for n in range(10**5)}, 'headers of at most 16384 bytes'),
    ],
    ids=lambda value: '' if len(str(value)) > 10 else value,
)
def test_values_over_a_limit_are_rejected_on_both_sides(key, value, words):
    with pytest.raises(SerializationError, match=words) as caught:
        event_from({**WHOLE, key: value})
    assert len(str(caught.value)) < 300
    if key != 'type':  # which is looked at before
        with pytest.raises(SerializationError, match=words):
            pack_event(Event(**{**WHOLE, key: value}))


def test_time_from_which_an_event_is_due_survives_a_round_trip():
    assert unpack_event(pack_event(Event('thing', due=1.7e9 + 0.125))).due == 1.7e9 + 0.125


@pytest.mark.parametrize('due', [1_700_000_000_250, '1700000000250'])
def test_time_may_be_text_or_a_number(due):
    assert event_from({**WHOLE, 'due': due}).due == 1.7e9 + 0.25


@pytest.mark.parametrize('due', [float('nan'), float('inf'), -1.0, 1e12])
def test_impossible_time_is_not_packed(due):
    assert 'due' not in unpack(pack_event(Event('thing', due=due)))


def test_event_that_tells_no_time_has_the_form_of_earlier_versions():
    assert set(unpack(pack_event(Event('thing')))) == set(WHOLE)
    assert event_from(WHOLE).due is None


IMPOSSIBLE = ['', 'soon', 'nan', '-1', '1' * 33, True, -1.0, 1e12, 10**400, float('nan'), [1], None]


@pytest.mark.parametrize('due', IMPOSSIBLE)
def test_impossible_time_is_ignored(due):
    assert event_from({**WHOLE, 'due': due}).due is None
