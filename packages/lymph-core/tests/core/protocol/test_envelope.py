from __future__ import annotations

import pytest

from lymph.core.events import Event
from lymph.core.protocol.envelope import event_from, pack_event, unpack_event
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack

WHOLE = {'type': 'thing', 'id': 'x', 'body': {}, 'source': 'shop', 'headers': {}}


def test_an_event_survives_the_journey():
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
def test_what_is_no_event(value):
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
def test_a_wrong_member_is_named(key, value, words):
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
def test_what_its_receiver_would_refuse_is_not_packed(event, words):
    with pytest.raises(SerializationError, match=words):
        pack_event(event)


@pytest.mark.parametrize('data', [b'', b'\xc1', b'\x81', pack(WHOLE)[:-1], pack([WHOLE])])
def test_bytes_that_hold_no_event(data):
    with pytest.raises(SerializationError):
        unpack_event(data)
