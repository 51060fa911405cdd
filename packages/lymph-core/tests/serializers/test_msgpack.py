from __future__ import annotations

import contextlib
import datetime
import uuid
from decimal import Decimal

import gevent
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.exceptions import SerializationError
from lymph.serializers import json
from lymph.serializers import msgpack as wire

CET = datetime.timezone(datetime.timedelta(hours=1))

VALUES = [
    None,
    True,
    -(2**63),
    2**64 - 1,
    1.5,
    'text äöü',
    b'\x00\xff',
    [],
    {},
    [1, [2, {'a': [3]}]],
    {'a': {'b': None}},
    set(),
    {1, 2, 3},
    datetime.datetime(2016, 2, 19, 12, 30, 0, 1),
    datetime.datetime(2016, 2, 19, 12, 30, tzinfo=datetime.timezone.utc),
    datetime.datetime(2016, 2, 19, 12, 30, 59, 999999, tzinfo=CET),
    datetime.date(2016, 2, 19),
    datetime.time(23, 59, 59, 999999),
    datetime.time(23, 59, tzinfo=CET),
    uuid.UUID('12345678123456781234567812345678'),
    Decimal('12.50'),
    Decimal('-0E-7'),
]


@pytest.mark.parametrize('value', VALUES, ids=repr)
@pytest.mark.parametrize(
    'travel',
    [lambda v: wire.unpack(wire.pack(v)), lambda v: json.loads(json.dumps(v))],
    ids=['msgpack', 'json'],
)
def test_every_type_round_trips(value, travel):
    arrived = travel({'inside': [value]})['inside'][0]
    assert arrived == value
    assert type(arrived) is type(value)
    if isinstance(value, (datetime.datetime, datetime.time)):
        assert arrived.tzinfo == value.tzinfo


def test_decimal_keeps_its_digits():
    assert str(wire.unpack(wire.pack(Decimal('12.50')))) == '12.50'


def test_tuple_arrives_as_a_list():
    assert wire.unpack(wire.pack((1, (2,)))) == [1, [2]]
    assert json.loads(json.dumps((1, (2,)))) == [1, [2]]


@pytest.mark.parametrize(
    'value', [{(1, 2)}, {(1, (2, (3,)))}, {frozenset({1}), frozenset()}, {(frozenset({1}),)}]
)
def test_tuples_and_sets_in_a_set_arrive_hashable(value):
    assert wire.unpack(wire.pack(value)) == value
    assert json.loads(json.dumps(value)) == value


def test_dates_are_sent_as_extension_types():
    packed = wire.pack(datetime.date(2016, 2, 19))
    assert msgpack.unpackb(packed) == msgpack.ExtType(3, b'2016-02-19')


def test_unknown_extension_type_arrives_unchanged():
    assert wire.unpack(msgpack.packb(msgpack.ExtType(99, b'x'))) == msgpack.ExtType(99, b'x')


def test_msgpack_timestamp_arrives_as_a_datetime():
    moment = datetime.datetime(2016, 2, 19, 12, 30, tzinfo=datetime.timezone.utc)
    assert wire.unpack(msgpack.packb(msgpack.Timestamp.from_datetime(moment))) == moment
    assert json.loads(json.dumps(moment)) == moment


class Process:
    def __init__(self, pid):
        self.pid = pid

    def _lymph_dump_(self):
        return {'pid': self.pid}


def test_object_is_sent_as_its_dump():
    assert wire.unpack(wire.pack([Process(7)])) == [{'pid': 7}]
    assert json.plain([Process(7)]) == [{'pid': 7}]


def test_dump_that_serializes_does_not_affect_the_outer_serialization():
    class Nested:
        def _lymph_dump_(self):
            return wire.unpack(wire.pack({'inner': [1, 2, 3]}))

    value = {'before': 'x' * 300, 'nested': Nested(), 'after': 'y' * 300}
    expected = {'before': 'x' * 300, 'nested': {'inner': [1, 2, 3]}, 'after': 'y' * 300}
    assert wire.unpack(wire.pack(value)) == expected


def test_dump_that_switches_greenlets_does_not_affect_others():
    class Slow:
        def __init__(self, number):
            self.number = number

        def _lymph_dump_(self):
            gevent.sleep(0)
            return self.number

    def travel(number):
        return wire.unpack(wire.pack({'a': number, 'b': Slow(number), 'c': 'z' * number}))

    greenlets = [gevent.spawn(travel, number) for number in range(50)]
    for number, greenlet in enumerate(greenlets):
        assert greenlet.get(timeout=5) == {'a': number, 'b': number, 'c': 'z' * number}


class Stranger:
    pass


class Broken:
    def _lymph_dump_(self):
        raise RuntimeError('no dump today')


CIRCLE: list[object] = []
CIRCLE.append(CIRCLE)


@pytest.mark.parametrize(
    ('value', 'path'),
    [
        (Stranger(), 'as a whole'),
        ({'users': [{'name': 'a'}, {'name': Stranger()}]}, 'at users[1].name'),
        ({'a': (1, Stranger())}, 'at a[1]'),
        ({'big': 2**64}, 'at big'),
        ({'text': '\ud800'}, 'at text'),
        ({'broken': Broken()}, 'at broken'),
        ([Broken()], 'at [0]'),
        ({'dumped': [Process(Stranger())]}, 'at dumped[0]._lymph_dump_().pid'),
        ({'class': Process}, 'at class'),
        ({Stranger: 1}, 'key'),
    ],
    ids=lambda v: v if isinstance(v, str) else '',
)
def test_unserializable_value_is_named_by_its_path(value, path):
    with pytest.raises(SerializationError, match=r'cannot serialize') as caught:
        wire.pack(value)
    assert path in str(caught.value)


def test_circular_structure_is_rejected():
    with pytest.raises(SerializationError):
        wire.pack(CIRCLE)
    with pytest.raises(SerializationError):
        json.dumps(CIRCLE)


def test_failure_does_not_affect_the_next_value():
    for _ in range(3):
        with pytest.raises(SerializationError):
            wire.pack({'good': 'x' * 100, 'bad': Stranger()})
        assert wire.unpack(wire.pack({'a': 1})) == {'a': 1}


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'\xc1',
        b'\x93\x01',
        b'\x01\x02',
        b'\x81\x80\x01',  # a map with a map as key
        b'\x81\x91\x80\x01',  # a map with a map in a key
        b'\xc7\x02\x01\x91\x80',  # a set with a map in it
        b'\xc7\x03\x02abc',  # a datetime that is none
        b'\xc7\x02\x05ab',  # a UUID of two bytes
        b'\xc7\x01\x01\x01',  # a set of a number
        b'\x91' * 5000,
    ],
    ids=repr,
)
def test_invalid_msgpack_is_rejected(data):
    with pytest.raises(SerializationError, match='expected msgpack, found'):
        wire.unpack(data)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=['Cs']))
    | st.binary()
    | st.datetimes()
    | st.datetimes(timezones=st.just(datetime.timezone.utc))
    | st.dates()
    | st.times()
    | st.uuids()
    | st.decimals(allow_nan=False)
)
keys = st.text(st.characters(exclude_categories=['Cs']))
values = st.recursive(
    scalars | st.sets(st.integers(0, 100)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=20,
)


@given(values)
def test_any_structure_round_trips_through_msgpack(value):
    assert wire.unpack(wire.pack(value)) == value


@given(values)
def test_any_structure_round_trips_through_json(value):
    assert json.loads(json.dumps(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_unpacked_or_raise_a_serialization_error(data):
    with contextlib.suppress(SerializationError):
        wire.unpack(data)
