"""Serialization is symmetric: packed values unpack and vice versa, for both serializers."""

from __future__ import annotations

import collections
import contextlib
import datetime
import enum
import itertools
import math
import types
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.exceptions import SerializationError
from lymph.serializers import json
from lymph.serializers import msgpack as wire

UTC = datetime.timezone.utc
CET = datetime.timezone(datetime.timedelta(hours=1))

TRAVEL = {
    'msgpack': lambda value: wire.unpack(wire.pack(value)),
    'json': lambda value: json.loads(json.dumps(value)),
}


@pytest.fixture(params=TRAVEL)
def travel(request):
    return TRAVEL[request.param]


def arrived(value, hashed=False):
    """Return `value` as the receiver gets it: tuples are lists, except in keys and sets."""
    if isinstance(value, dict):
        return {arrived(k, True): arrived(v, False) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return (tuple if hashed else list)(arrived(member, hashed) for member in value)
    if isinstance(value, (set, frozenset)):
        return (frozenset if hashed else set)(arrived(member, True) for member in value)
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


def same(one, other):
    """Compare like `==`, except: nan equals nan, and types and folds of times must be equal."""
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one.as_tuple() == other.as_tuple()
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return len(one) == len(other) and all(
            same(key, there) and same(value, other[there])
            for (key, value), there in zip(one.items(), other, strict=True)
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other and getattr(one, 'fold', 0) == getattr(other, 'fold', 0)


texts = st.text(st.characters(exclude_categories=['Cs']))
zones = st.sampled_from([None, UTC, CET, datetime.timezone(datetime.timedelta(seconds=-1))])
hashed_scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.sampled_from([n * (2**61 - 1) for n in range(-4, 9)])
    | texts
    | st.binary()
    | st.dates()
    | st.datetimes(timezones=zones)
    | st.builds(lambda t, fold: t.replace(fold=fold), st.datetimes(), st.integers(0, 1))
    | st.builds(lambda t, fold: t.replace(fold=fold), st.times(timezones=zones), st.integers(0, 1))
    | st.uuids()
    | st.decimals(allow_nan=False)
)
scalars = (
    hashed_scalars
    | st.decimals(allow_nan=True)
    | st.floats()
    | st.binary().map(bytearray)
    | st.binary().map(memoryview)
)
hashed = st.recursive(
    hashed_scalars | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4).map(tuple) | st.frozensets(inner, max_size=20),
    max_leaves=10,
)
values = st.recursive(
    scalars | hashed,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=5).map(tuple)
        | st.dictionaries(hashed | texts, inner, max_size=20)
        | st.sets(hashed, max_size=20)
    ),
    max_leaves=30,
)


@given(values)
def test_any_packed_value_arrives_equal_and_can_be_packed_again(value):
    packed = wire.pack(value)
    assert same(wire.unpack(packed), arrived(value))
    assert same(wire.unpack(wire.pack(wire.unpack(packed))), arrived(value))


@given(values)
def test_any_json_value_arrives_equal_and_can_be_dumped_again(value):
    try:
        text = json.dumps(value)
    except SerializationError:  # keys of other types, numbers that are not finite
        return
    assert same(json.loads(text), arrived(value))
    assert same(json.loads(json.dumps(json.loads(text))), arrived(value))
    json.plain(value)


raw = st.recursive(
    scalars | st.builds(msgpack.ExtType, st.integers(1, 8), st.binary(max_size=20)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
).map(lambda value: msgpack.packb(value, default=str))


@given(raw | st.binary(max_size=300))
def test_any_unpacked_value_can_be_packed(data):
    with contextlib.suppress(SerializationError):
        value = wire.unpack(data)
        assert same(wire.unpack(wire.pack(value)), value)


KEYS = [
    ('a', 1),
    (),
    ('a', ('b', (None, 1.5))),
    frozenset(),
    frozenset({('a', frozenset({1}))}),
    (frozenset({1}), uuid.UUID(int=1)),
    datetime.date(2016, 2, 19),
    datetime.datetime(2016, 2, 19, tzinfo=CET),
    uuid.UUID(int=5),
    Decimal('1.50'),
    None,
    1.5,
    True,
    b'\xff',
    -1,
]


@pytest.mark.parametrize('key', KEYS, ids=repr)
@pytest.mark.parametrize('more', [{}, {'text': 'x' * 1000}, dict.fromkeys(range(5, 500))])
def test_keys_of_every_hashable_type_round_trip(key, more):
    value = {'inside': [{key: {'a': 1}, **more}]}
    assert same(wire.unpack(wire.pack(value)), value)


def test_long_lists_and_keys_of_all_types_round_trip_in_any_order():
    values = [list(range(2000)), {(1, 'x'): 2}, {5: [1.5]}, {frozenset({1}), 2}, 'x' * 2000]
    for order in itertools.permutations(values):
        value = {'first': order[0], 'rest': list(order[1:])}
        assert wire.unpack(wire.pack(value)) == value


@pytest.mark.parametrize('fold', [0, 1])
@pytest.mark.parametrize(
    'moment',
    [
        datetime.datetime(2016, 10, 30, 2, 30),
        datetime.datetime(2016, 10, 30, 2, 30, 0, 1, tzinfo=CET),
        datetime.datetime(2016, 10, 30, 2, 30, tzinfo=ZoneInfo('Europe/Berlin')),
        datetime.time(2, 30),
        datetime.time(2, 30, tzinfo=UTC),
    ],
    ids=repr,
)
def test_fold_of_a_time_round_trips(travel, moment, fold):
    there = travel(moment.replace(fold=fold))
    assert there.fold == fold
    assert there.replace(tzinfo=None) == moment.replace(tzinfo=None, fold=fold)
    assert there.utcoffset() == moment.replace(fold=fold).utcoffset()


def test_fold_is_appended_to_the_text_of_a_time():
    packed = wire.pack(datetime.datetime(2016, 10, 30, 2, 30, fold=1))
    assert msgpack.unpackb(packed) == msgpack.ExtType(2, b'2016-10-30T02:30:00[fold=1]')


@pytest.mark.parametrize('code', [2, 4])
@pytest.mark.parametrize('text', [b'', b']', b'[fold=1]', b'12:30[fold=2]', b'1' * 10**6, b'\xff'])
def test_invalid_time_is_rejected_with_a_short_message(code, text):
    with pytest.raises(SerializationError) as caught:
        wire.unpack(msgpack.packb(msgpack.ExtType(code, text)))
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize('code', [7, 42, 127])
def test_extension_type_of_the_user_round_trips(code):
    value = {'a': [msgpack.ExtType(code, b'x')], msgpack.ExtType(code, b'key'): 1}
    assert wire.unpack(wire.pack(value)) == value
    assert json.plain(value['a']) == [[code, 'eA==']]
    with pytest.raises(SerializationError, match=r'at a\[0\]: .*JSON has no extension types'):
        json.dumps({'a': value['a']})


class Dumps:
    def __init__(self, value):
        self.value = value

    def _lymph_dump_(self):
        return self.value


@pytest.mark.parametrize('code', [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize('payload', [b'', b'\x90', b'2016-02-19', bytes(16), bytes(1000)])
def test_extension_type_with_a_reserved_code_is_rejected(code, payload):
    taken = msgpack.ExtType(code, payload)
    for value, path in (
        (taken, 'as a whole'),
        ({'a': taken}, 'at a'),
        ({'a': [uuid.uuid4(), {'b': (taken,)}]}, 'at a[1].b[0]'),
        ({'text': 'x' * 1000, 'a': [taken]}, 'at a[0]'),
        ({taken: 1}, 'at (key'),
        ([Dumps({'a': [taken]})], 'at [0]._lymph_dump_().a[0]'),
        ([Dumps(taken)], 'at [0]._lymph_dump_()'),
        ({(1, taken)}, 'at [0][1]'),
    ):
        with pytest.raises(SerializationError, match=f'the code {code} is taken') as caught:
            wire.pack(value)
        assert path in str(caught.value)


def test_msgpack_timestamp_arrives_as_a_datetime_or_is_rejected():
    moment = datetime.datetime(2016, 2, 19, 12, 30, 0, 5, tzinfo=UTC)
    assert wire.unpack(wire.pack([msgpack.Timestamp.from_datetime(moment)])) == [moment]
    for lost in (msgpack.Timestamp(1, 1), msgpack.Timestamp(2**63, 0)):
        with pytest.raises(SerializationError, match=r'at a\[0\]: msgpack.ext.Timestamp'):
            wire.pack({'a': [lost]})


class Text(str):
    pass


class Whole(int):
    pass


class Fraction(float):
    pass


class Raw(bytes):
    pass


class List(list):
    pass


class Set(set):
    pass


class Frozen(frozenset):
    pass


class Moment(datetime.datetime):
    pass


class Day(datetime.date):
    pass


class Clock(datetime.time):
    pass


class Id(uuid.UUID):
    pass


class Number(Decimal):
    pass


class Color(enum.IntEnum):
    RED = 1


class Name(str, enum.Enum):
    ADA = 'ada'


Point = collections.namedtuple('Point', 'x y')

SUBCLASSES = [
    (Text('a'), 'a'),
    (Whole(5), 5),
    (Fraction(1.5), 1.5),
    (Raw(b'x'), b'x'),
    (List([1]), [1]),
    (Set({1}), {1}),
    (Frozen({1}), {1}),
    (Moment(2016, 2, 19, 12, tzinfo=UTC), datetime.datetime(2016, 2, 19, 12, tzinfo=UTC)),
    (Day(2016, 2, 19), datetime.date(2016, 2, 19)),
    (Clock(12, 30, fold=1), datetime.time(12, 30, fold=1)),
    (Id(int=1), uuid.UUID(int=1)),
    (Number('1.50'), Decimal('1.50')),
    (Color.RED, 1),
    (Name.ADA, 'ada'),
    (Point(1, (2,)), [1, [2]]),
    (collections.OrderedDict(a=1), {'a': 1}),
    (collections.defaultdict(list, a=[1]), {'a': [1]}),
    (collections.Counter('aab'), {'a': 2, 'b': 1}),
    (collections.ChainMap({'b': 1}, {'a': 2}), {'a': 2, 'b': 1}),
    (collections.UserDict(a=1), {'a': 1}),
    (types.MappingProxyType({'a': (1,)}), {'a': [1]}),
]


@pytest.mark.parametrize(('value', 'base'), SUBCLASSES, ids=repr)
def test_instance_of_a_subclass_arrives_as_its_base_class(travel, value, base):
    for wrap in (lambda v: v, lambda v: {'a': [v]}, lambda v: [v, 'x' * 1000]):
        assert same(travel(wrap(value)), wrap(base))


@pytest.mark.parametrize(('value', 'base'), SUBCLASSES, ids=repr)
def test_subclass_of_any_type_can_define_its_dump(travel, value, base):
    kind = type(value)
    if isinstance(value, (enum.Enum, types.MappingProxyType)):
        return  # there are no subclasses
    dumping = type('Dumping', (kind,), {'_lymph_dump_': lambda self: {'is': 'dumped'}})
    instance = dumping.__new__(dumping) if kind is Id else dumping(*_arguments(value))
    assert travel({'a': [instance]}) == {'a': [{'is': 'dumped'}]}
    assert travel(instance) == {'is': 'dumped'}
    assert json.plain([instance]) == [{'is': 'dumped'}]


def _arguments(value):
    if isinstance(value, datetime.date):
        return 2016, 2, 19
    if isinstance(value, tuple):
        return value
    return (7,) if isinstance(value, (int, float, Decimal)) else ()


@pytest.mark.parametrize(
    'dumped', [(1, 2), {1, 2}, {1: 2}, datetime.date(2016, 2, 19), Dumps([Dumps('x')]), Point(1, 2)]
)
def test_dump_of_an_object_can_be_any_serializable_value(dumped):
    expected = arrived(getattr(dumped, 'value', dumped))
    expected = ['x'] if isinstance(dumped, Dumps) else expected
    assert wire.unpack(wire.pack({'a': Dumps(dumped)})) == {'a': expected}


def test_objects_as_keys_and_members_are_sent_as_their_dump(travel):
    assert travel({Dumps('a'): 1, 'b': 2}) == {'a': 1, 'b': 2}
    assert travel({Dumps((1, Dumps('x'))), 5}) == {(1, 'x'), 5}


@pytest.mark.parametrize(
    ('value', 'path'),
    [
        ({Dumps({}): 1}, 'at (key <'),
        ({(1, Dumps([{}])): 1}, 'at (key <tuple>)[1]._lymph_dump_()[0]: dict'),
        ({Dumps({})}, 'at [0]._lymph_dump_(): dict'),
        ({'a': {Dumps('x'): 1, 'x': 2}}, 'at a: dict: two keys'),
        ({'a': Dumps({Dumps('x'): 1, 'x': 2})}, 'at a._lymph_dump_(): dict: two keys'),
        ([{'t': 'x' * 500, Dumps([1]): 1, (1,): 2}], 'two keys'),
    ],
    ids=lambda v: v if isinstance(v, str) else '',
)
def test_unhashable_and_duplicate_keys_and_members_are_rejected(value, path):
    with pytest.raises(SerializationError) as caught:
        wire.pack(value)
    assert path in str(caught.value)


class HashableDict(dict):
    def __hash__(self):
        return 1


@pytest.mark.parametrize(
    'value', [{HashableDict(a=1): 2}, {HashableDict()}, {(HashableDict(),): 1}]
)
def test_hashable_dict_is_rejected_as_a_key_or_member(value):
    with pytest.raises(SerializationError, match='Dict: a mapping cannot be a key or a member'):
        wire.pack(value)


@pytest.mark.parametrize('number', [2**64, -(2**63) - 1, 10**5000], ids=lambda n: n.bit_length())
@pytest.mark.parametrize(
    'wrap', [lambda n: n, lambda n: {'a': [n]}, lambda n: {n: 1}, lambda n: {n}, Whole]
)
def test_error_for_an_integer_of_more_than_64_bits_names_the_range(number, wrap):
    with pytest.raises(SerializationError, match=r'64 bits, from -2\*\*63 to 2\*\*64 - 1'):
        wire.pack(wrap(number))


@pytest.mark.parametrize('text', ['[NaN]', '[Infinity]', '1e999', '"\\ud800"', '{"\\udc00":1}'])
def test_json_that_cannot_be_dumped_again_is_rejected(text):
    with pytest.raises(SerializationError, match='expected JSON'):
        json.loads(text)


@pytest.mark.parametrize('data', [bytearray, memoryview])
def test_bytes_of_any_type_are_read(data):
    for value in ({'a': [1]}, {('a', 1): 'x' * 1000}):
        assert wire.unpack(data(wire.pack(value))) == value
    assert json.loads(data(b'{"a": 1}')) == {'a': 1}
    assert json.loads('{"a": "ä"}'.encode('utf-16')) == {'a': 'ä'}


@pytest.mark.parametrize('value', [{}, [], set(), '', b'', (), [[]], {'': {}}, '\0', {'\0': b'\0'}])
def test_empty_values_and_nul_characters_round_trip(travel, value):
    assert travel(value) == arrived(value)
