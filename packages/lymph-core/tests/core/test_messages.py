from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core.messages import ACK, ERROR, NACK, REP, REQ, TYPES, Message, id_source
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack


@given(
    st.sampled_from(sorted(TYPES)),
    st.text(st.characters(exclude_categories=['Cs'])),
    st.dictionaries(st.text(st.characters(exclude_categories=['Cs'])), st.integers(0, 9)),
    st.dictionaries(st.text(st.characters(exclude_categories=['Cs'])), st.booleans()),
)
def test_message_survives_a_round_trip_through_frames(type, subject, headers, body):
    sent = Message(type, subject, body, headers)
    arrived = Message.from_frames(sent.frames())
    assert (arrived.id, arrived.type, arrived.subject) == (sent.id, type, subject.encode())
    assert (arrived.headers, arrived.body) == (headers, body)


def test_the_frames_are_those_of_the_protocol():
    message = Message(Message.REQ, 'echo.upper', {'text': 'x'}, {'trace_id': 't'}, id=b'i')
    id, type, subject, headers, body = message.frames()
    assert (id, type, subject) == (b'i', b'REQ', b'echo.upper')
    assert (unpack(headers), unpack(body)) == ({'trace_id': 't'}, {'text': 'x'})
    assert message.packed_body == body


def test_the_types_have_names():
    names = (Message.REQ, Message.REP, Message.ACK, Message.NACK, Message.ERROR)
    assert names == (REQ, REP, ACK, NACK, ERROR)


@pytest.mark.parametrize('type', [REP, ACK, NACK, ERROR])
def test_all_types_but_req_are_replies(type):
    message = Message(type, b'id')
    assert message.is_reply()
    assert not message.is_request()
    assert Message(REQ, 'a.b').is_request()
    assert not Message(REQ, 'a.b').is_reply()


@pytest.mark.parametrize('count', [0, 1, 4, 6])
def test_wrong_number_of_frames_is_rejected(count):
    with pytest.raises(ValueError, match=f'expected a message of 5 frames, found {count}'):
        Message.from_frames([b'REQ'] * count)


@pytest.mark.parametrize('type', [b'', b'req', b'NOPE'])
def test_unknown_type_is_rejected(type):
    with pytest.raises(ValueError, match='expected REQ, REP, ACK, NACK or ERROR, found'):
        Message.from_frames([b'i', type, b's', b'\x80', b'\x80'])


def test_invalid_msgpack_is_an_error_only_when_it_is_read():
    message = Message.from_frames([b'i', REQ, b'\xff', b'\xc1', b'\xc1'])
    for _ in range(2):
        with pytest.raises(SerializationError):
            _ = message.headers
        with pytest.raises(SerializationError):
            _ = message.body


@pytest.mark.parametrize('headers', [[], None, 'text', 5])
def test_headers_must_be_a_map(headers):
    message = Message.from_frames([b'i', REQ, b's', pack(headers), pack(None)])
    with pytest.raises(SerializationError, match='expected headers as a map, found'):
        _ = message.headers


def test_unserializable_body_is_an_error_at_once():
    with pytest.raises(SerializationError):
        Message(REQ, 'a.b', {'x': object()})


def test_repr_of_a_message_names_type_and_subject():
    assert repr(Message(REQ, 'a.b', id=b'\x01')) == "<Message REQ b'a.b' id=01>"
    assert 'REP' in repr(Message(REP, b'\xff'))


def test_ids_differ_within_and_between_sources():
    sources = [id_source() for _ in range(5)]
    ids = [next_id() for next_id in sources for _ in range(1000)]
    assert len(set(ids)) == len(ids)
    assert {len(id) for id in ids} == {16}


def test_messages_have_unique_ids():
    ids = {Message(REQ, 'a.b').id for _ in itertools.repeat(None, 100)}
    assert len(ids) == 100
