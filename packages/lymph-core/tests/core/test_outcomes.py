from __future__ import annotations

import contextlib

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._calling.outcomes import outcome
from lymph.core.messages import ACK, ERROR, NACK, REP, REPLIES
from lymph.exceptions import Failed, Refused, RemoteError, RpcError
from lymph.serializers.msgpack import pack


class Call:
    what = 'echo.upper'

    def __init__(self):
        self.facts = {'subject': 'echo.upper', 'endpoint': 'mem://1', 'timeout': 1.0}


def frames(type, body=None, headers=None):
    return [b'id', type, b'of', pack(headers or {}), pack(body)]


@pytest.mark.parametrize('value', [None, False, 0, 'text', [1], {'a': {1}}])
def test_a_reply_gives_its_body(value):
    assert outcome(frames(REP, value), Call()) == value


def test_acknowledgement_gives_none():
    assert outcome(frames(ACK, 'ignored'), Call()) is None


@pytest.mark.parametrize(
    'reason',
    ['overloaded', 'draining', 'unknown_method', 'a_reason_of_tomorrow'],
)
def test_a_refusal_carries_its_reason(reason):
    with pytest.raises(Refused, match=r'echo\.upper: too much') as caught:
        outcome(frames(NACK, {'message': 'too much'}, {'reason': reason}), Call())
    assert caught.value.reason == reason
    assert caught.value.executed == 'no'


@pytest.mark.parametrize(
    ('body', 'headers'),
    [(None, {}), (None, {'reason': 'failed'}), ([], {}), ({}, []), (5, None)],
)
def test_a_nack_without_another_reason_means_that_the_method_failed(body, headers):
    with pytest.raises(Failed, match=r'echo\.upper: failed') as caught:
        outcome([b'id', NACK, b'of', pack(headers), pack(body)], Call())
    assert caught.value.reason == 'failed'
    assert caught.value.executed == 'yes'


def test_an_error_is_a_class_of_its_name():
    with pytest.raises(RemoteError.ValueError, match='empty') as caught:
        outcome(frames(ERROR, {'type': 'ValueError', 'message': 'empty'}), Call())
    assert caught.value.type == 'ValueError'
    assert caught.value.executed == 'yes'


@pytest.mark.parametrize('body', [None, [], 'text', {}, {'type': None, 'message': 5}])
def test_error_without_details_is_a_remote_error(body):
    with pytest.raises(RemoteError) as caught:
        outcome(frames(ERROR, body), Call())
    assert caught.value.type == 'Exception'


def test_an_error_or_a_refusal_may_have_plain_text_as_its_body():
    with pytest.raises(RemoteError.Exception, match=r'^no such account$'):
        outcome(frames(ERROR, 'no such account'), Call())
    with pytest.raises(Failed, match=r'^echo\.upper: no such account$'):
        outcome(frames(NACK, 'no such account'), Call())


@pytest.mark.parametrize('type', ['a\0b', 'no name', '', 'x' * 10_000, '__init__', 'class'])
def test_error_with_an_invalid_class_name_is_a_remote_error(type):
    with pytest.raises(RemoteError, match='text'):
        outcome(frames(ERROR, {'type': type, 'message': 'text'}), Call())


@pytest.mark.parametrize('type', [REP, NACK, ERROR])
def test_a_reply_that_cannot_be_read_is_a_failure_of_a_call_that_ran(type):
    with pytest.raises(Failed, match='the reply cannot be read'):
        outcome([b'id', type, b'of', b'\xc1', b'\xc1'], Call())


def nested_sets(count):
    data = b'\x90'
    for _ in range(count):
        data = msgpack.packb(msgpack.ExtType(1, b'\x91' + data))
    return data


@pytest.mark.parametrize('type', [REP, NACK, ERROR])
@pytest.mark.parametrize(
    'data',
    [nested_sets(200), b'\x91' * 100_000, b'\xdd\x00\xff\xff\xff' + b'\x80' * 16_777_215],
    ids=['sets in sets', 'deep', 'many'],
)
def test_a_service_cannot_harm_its_callers_with_a_reply(type, data):
    with pytest.raises(Failed, match='the reply cannot be read') as caught:
        outcome([b'id', type, b'of', b'\x80', data], Call())
    assert caught.value.executed == 'yes'
    if type == NACK:
        with pytest.raises(Failed, match='failed'):
            outcome([b'id', type, b'of', data, b'\xc0'], Call())


@pytest.mark.parametrize('said', ['x' * 10**7, list(range(10**5)), {'x' * 10**6: 1}], ids=type)
def test_text_of_an_error_is_cut(said):
    with pytest.raises(RemoteError) as caught:
        outcome(frames(ERROR, {'type': said, 'message': said}), Call())
    assert len(caught.value.type) <= 255
    assert len(str(caught.value)) <= 64 * 1024
    with pytest.raises(Failed) as caught:
        outcome(frames(NACK, {'message': said}, {'reason': 'failed'}), Call())
    assert len(str(caught.value)) < 65 * 1024
    with pytest.raises(Refused) as caught:
        outcome(frames(NACK, None, {'reason': 'x' * 10_000}), Call())
    assert len(caught.value.reason) <= 255


@given(st.sampled_from(sorted(REPLIES)), st.binary(max_size=30), st.binary(max_size=30))
def test_any_reply_is_a_result_or_an_error_of_lymph(type, headers, body):
    with contextlib.suppress(RpcError):
        outcome([b'id', type, b'of', headers, body], Call())
