"""Limits of depth, members and equal hashes bound the cost of messages from strangers."""

from __future__ import annotations

import contextlib
import itertools
import json as stdlib_json
import struct
import subprocess
import sys
import tracemalloc
import uuid
from collections.abc import Iterator

import msgpack
import pytest

from lymph.core.limits import DEPTH, ITEMS
from lymph.exceptions import SerializationError
from lymph.serializers import json
from lymph.serializers import msgpack as wire
from lymph.serializers._codec import nesting

MODULUS = 2**61 - 1  # numbers that differ by it have the same hash


@contextlib.contextmanager
def memory_below(size: int) -> Iterator[None]:
    """Fail if more than `size` bytes are allocated at a time."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size


def extension(code: int, payload: bytes) -> bytes:
    return msgpack.packb(msgpack.ExtType(code, payload))


def array(members: list[bytes]) -> bytes:
    return b'\xdd' + struct.pack('>I', len(members)) + b''.join(members)


def mapping(pairs: list[tuple[bytes, bytes]]) -> bytes:
    return b'\xdf' + struct.pack('>I', len(pairs)) + b''.join(itertools.chain(*pairs))


def raw(value: object) -> bytes:
    """Pack lists, tuples, sets and maps as a peer without limits does."""
    if isinstance(value, (set, frozenset)):
        return extension(1, array([raw(member) for member in value]))
    if isinstance(value, (list, tuple)):
        return array([raw(member) for member in value])
    if isinstance(value, dict):
        return mapping([(raw(key), raw(member)) for key, member in value.items()])
    return msgpack.packb(value)


# each puts something into one more container
NESTINGS = {
    'list': lambda v: [v],
    'long list': lambda v: [*range(20), v],
    'list with text': lambda v: ['x' * 300, v],
    'map': lambda v: {'a': v},
    'map of many': lambda v: {**dict.fromkeys('bcdefghijklmnopqrstu'), 'a': v},
    'map with a number as key': lambda v: {1: v},
}
HASHABLE_NESTINGS = {
    'tuple': lambda v: (v,),
    'set': lambda v: frozenset({v}),
    'set of many': lambda v: frozenset({v, *range(20)}),
}
INNERMOST = [(), (*HASHABLE_NESTINGS,), *((name,) for name in HASHABLE_NESTINGS)]


def nested(count: int, kinds: tuple[str, ...], inner: tuple[str, ...], key: bool) -> object:
    """Return a text in `count` containers; half of them are of the `inner` kinds, for keys."""
    value = 'x'
    cycle = itertools.cycle(inner or ('tuple',))
    within = count if not kinds else count // 2 if inner else 0
    for name in itertools.islice(cycle, within):
        value = HASHABLE_NESTINGS[name](value)
    cycle = itertools.cycle(kinds or ('list',))
    for number, name in enumerate(itertools.islice(cycle, count - within)):
        value = {value: 1} if key and not number else NESTINGS[name](value)
    return value


NESTED = [
    *(((name,), (), False) for name in NESTINGS),
    ((*NESTINGS,), (), False),
    *(((), inner, False) for inner in INNERMOST),
    *((('map',), inner, True) for inner in INNERMOST),
    ((*NESTINGS,), (*HASHABLE_NESTINGS,), True),
]


@pytest.mark.parametrize(('kinds', 'inner', 'key'), NESTED)
def test_values_of_the_maximum_depth_round_trip(kinds, inner, key):
    value = nested(DEPTH, kinds, inner, key)
    arrived = wire.unpack(raw(value))
    assert wire.unpack(wire.pack(value)) == arrived
    assert wire.unpack(wire.pack(arrived)) == arrived


@pytest.mark.parametrize('count', [DEPTH + 1, 200, 400])
@pytest.mark.parametrize(('kinds', 'inner', 'key'), NESTED)
def test_deeper_nesting_is_rejected_on_both_sides(kinds, inner, key, count):
    value = nested(count, kinds, inner, key)
    with pytest.raises(SerializationError, match='more than 32 containers inside each other'):
        wire.unpack(raw(value))
    with pytest.raises(SerializationError, match='more than 32 containers inside each other'):
        wire.pack(value)


@pytest.mark.parametrize('length', [0, 60, 100, 200, 1000])
def test_deeper_nesting_in_a_key_is_rejected_regardless_of_its_value(length):
    value = {nested(DEPTH, (), ('tuple',), False): 'x' * length}
    with pytest.raises(SerializationError, match='more than 32 containers inside each other'):
        wire.unpack(raw(value))
    with pytest.raises(SerializationError, match='more than 32 containers inside each other'):
        wire.pack(value)


def test_sets_of_the_maximum_depth_are_read_with_a_small_stack():
    program = (
        'import sys, threading\n'
        'from lymph.serializers.msgpack import pack, unpack\n'
        'threading.stack_size(384 * 1024)\n'  # Python 3.10 takes 300 of them
        'travel = lambda: print(pack(unpack(bytes.fromhex(sys.argv[1]))).hex())\n'
        'thread = threading.Thread(target=travel)\n'
        'thread.start()\n'
        'thread.join()\n'
    )
    data = wire.pack(nested(DEPTH, (), ('set',), False)).hex()
    command = [sys.executable, '-c', program, data]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f'{data}\n'


@pytest.mark.parametrize('count', [2000, 100_000])
def test_extreme_nesting_does_not_crash_the_process(count):
    value = []
    for _ in range(count):
        value = [value]
    for refuse in (wire.pack, json.dumps, json.plain):
        with pytest.raises(SerializationError, match='more than 32 containers'):
            refuse(value)
    for text in ('[' * count, '{"$set":[' * count, '{"$object":' * count, '{"a":' * count):
        with pytest.raises(SerializationError):
            json.loads(text)
    with pytest.raises(SerializationError):
        wire.unpack(b'\x91' * count)


@pytest.mark.parametrize(
    'nest',
    [lambda v: [v], lambda v: (v,), lambda v: {'a': v}, lambda v: {'$set': v}],
    ids=['list', 'tuple', 'object', 'an object like a mark'],
)
def test_json_has_the_same_depth_limit_as_msgpack(nest):
    value = 'x'
    for _ in range(DEPTH):
        value = nest(value)
    assert json.loads(json.dumps(value)) == wire.unpack(wire.pack(value))
    json.plain(value)
    for refuse in (json.dumps, json.plain):
        with pytest.raises(SerializationError, match='more than 32 containers'):
            refuse(nest(value))
    with pytest.raises(SerializationError, match='more than 32 containers'):
        json.loads('[' * (DEPTH + 1) + ']' * (DEPTH + 1))


def test_sets_in_json_have_the_same_depth_limit_as_in_msgpack():
    value = frozenset()
    for _ in range(DEPTH - 1):
        value = frozenset({value})
    assert json.loads(json.dumps(value)) == value
    for refuse in (json.dumps, json.plain):
        with pytest.raises(SerializationError, match='more than 32 containers'):
            refuse(frozenset({value}))
    text = '[]'
    for _ in range(DEPTH):
        text = f'[{{"$set":{text}}}]'
    with pytest.raises(SerializationError, match='more than 32 containers'):
        json.loads(f'{{"$set":{text}}}')


def test_plain_accepts_a_value_of_the_maximum_depth_inside_a_wrapper():
    value = 'x'
    for _ in range(DEPTH):
        value = [value]
    assert json.plain({'body': value}, depth=DEPTH + 1) == {'body': value}


def test_depth_limit_holds_for_a_msgpack_with_another_stack_size(monkeypatch):
    assert nesting.EXACT  # of the msgpack that is installed
    monkeypatch.setattr('lymph.serializers._codec.unpacking.EXACT', False)
    monkeypatch.setattr('lymph.serializers._codec.packing.EXACT', False)
    value = nested(DEPTH, ('map of many', 'long list'), (), False)
    assert wire.unpack(wire.pack(value)) == wire.unpack(raw(value)) == value
    with pytest.raises(SerializationError, match='more than 32 containers'):
        wire.unpack(raw([value]))
    with pytest.raises(SerializationError, match='more than 32 containers'):
        wire.pack([value])


FEW = 1000


@pytest.fixture
def few_items(monkeypatch):
    """Lower the limit of members, so that tests reach it quickly."""
    for name in ('counting', 'excess', 'marking', 'packing', 'paths', 'unmarking', 'unpacking'):
        monkeypatch.setattr(f'lymph.serializers._codec.{name}.ITEMS', FEW)


TOO_MANY = {
    'empty maps': array([b'\x80'] * 16 * FEW),
    'texts in lists that begin and do not end': (
        b'\xdd' + struct.pack('>I', FEW - 1) + b'\xa2ab' * (FEW - 2)
    )
    * 32,
    'small maps': array([b'\x81\0\0'] * FEW),
    'keys': mapping([(msgpack.packb(n), b'\0') for n in range(FEW + 1)]),
    'members of sets': array([extension(1, array([b'\0'] * 5))] * 200),
    'sets': array([extension(1, b'\x90')] * (FEW + 1)),
    'lists in a set': extension(1, array([b'\x91\0'] * FEW)),
}


@pytest.mark.parametrize('kind', TOO_MANY)
def test_message_with_too_many_members_is_rejected_before_they_are_created(few_items, kind):
    with memory_below(20_000), pytest.raises(SerializationError, match='more than 1000 members'):
        wire.unpack(TOO_MANY[kind])


def test_limit_of_members_is_a_million():
    data = array([b'\x80'] * (ITEMS + 1))
    with memory_below(1_000_000), pytest.raises(SerializationError, match='than 1000000 members'):
        wire.unpack(data)
    assert wire.unpack(array([b'\0'] * ITEMS)) == [0] * ITEMS


def test_maximum_number_of_members_round_trips(few_items):
    half = FEW // 2
    value = [[0] * (half - 1), dict.fromkeys(map(str, range(half - 1)), 'x' * 10)]
    assert wire.unpack(wire.pack(value)) == value
    assert json.loads(json.dumps(value)) == value
    value[0] += [0]
    for refuse in (wire.pack, json.dumps, json.plain):
        with pytest.raises(SerializationError, match='more than 1000 members'):
            refuse(value)


def test_commas_in_a_text_do_not_count_as_members(few_items):
    text = ',[{"' * FEW
    assert json.loads(json.dumps([text])) == [text]
    assert wire.unpack(wire.pack([text])) == [text]


@pytest.mark.parametrize('text', ['{},', '[ ], ', '0,\n', '{"a":1},', '"",'])
def test_json_with_too_many_members_is_rejected(few_items, text):
    text = '[' + text * 100 * FEW + '0]'
    with memory_below(15 * len(text)), pytest.raises(SerializationError, match='than 1000 members'):
        json.loads(text)


def test_marks_in_json_do_not_count_as_members(few_items):
    value = [b''] * FEW
    assert json.loads(json.dumps(value)) == value
    assert json.loads(stdlib_json.dumps([[], [{}], *value[2:-1]], default=lambda _: 0, indent=9))


@pytest.mark.parametrize(
    'data',
    [
        (b'\xdd' + struct.pack('>I', 60_000)) * 1000 + b'\0' * 60_000,
        (b'\xdc\xff\xff' * 31 + b'\0' * 65_000) * 2,
        extension(1, (b'\xdd' + struct.pack('>I', 60_000)) * 1000 + b'\0' * 60_000),
        b'\xdd\xff\xff\xff\xff' + b'\0' * ITEMS,
        b'\xdf\x7f\xff\xff\xff' + b'\0' * ITEMS,
    ],
    ids=['nested', 'on one level', 'in a set', 'a large array', 'a large map'],
)
def test_no_memory_is_allocated_for_announced_members_that_are_missing(data):
    with memory_below(10 * len(data)), pytest.raises(SerializationError, match='expected msgpack'):
        wire.unpack(data)


def uuids(count: int) -> list[bytes]:
    return [extension(5, uuid.UUID(int=n * MODULUS).bytes) for n in range(count)]


def decimals(count: int) -> list[bytes]:
    return [extension(6, str(n * MODULUS).encode()) for n in range(count)]


COLLIDING = {
    'UUIDs': uuids,
    'decimals': decimals,
    'tuples': lambda count: [b'\x92' + each + b'\0' for each in uuids(count)],
    'tuples of numbers': lambda count: [
        msgpack.packb([n * MODULUS for n in each])
        for each in itertools.islice(itertools.product(range(8), repeat=5), count)
    ],
    'sets': lambda count: [extension(1, b'\x91' + each) for each in uuids(count)],
}


@pytest.mark.parametrize('count', [18, 100, 10_000])
@pytest.mark.parametrize('kind', COLLIDING)
def test_members_with_the_same_hash_are_rejected_before_they_are_compared(kind, count):
    members = COLLIDING[kind](count)
    for data in (
        extension(1, array(members)),
        array([extension(1, array([b'\x91' + extension(1, array(members))]))]),
    ):
        with pytest.raises(SerializationError, match='share a hash'):
            wire.unpack(data)


@pytest.mark.parametrize('count', [100, 10_000])
@pytest.mark.parametrize('kind', COLLIDING)
def test_keys_with_the_same_hash_are_rejected_before_they_are_compared(kind, count):
    data = mapping([(each, b'\0') for each in COLLIDING[kind](count)])
    for each in (data, b'\x81\xa1a' + data, array([b'\0', data])):
        with pytest.raises(SerializationError, match='share a hash'):
            wire.unpack(each)
    with pytest.raises(SerializationError, match='a map cannot be a member'):
        wire.unpack(extension(1, array([data])))


def test_sets_and_maps_with_many_collisions_cannot_be_serialized():
    many = {uuid.UUID(int=n * MODULUS) for n in range(18)}
    for refuse in (wire.pack, json.dumps):
        for value in (many, [many], {'a': (1, frozenset(many))}):
            with pytest.raises(SerializationError, match='share a hash'):
                refuse(value)
    with pytest.raises(SerializationError, match=r'at a: dict: .* share a hash'):
        wire.pack({'a': dict.fromkeys(many)})
    with pytest.raises(SerializationError, match='share a hash'):
        json.loads(stdlib_json.dumps({'$set': [{'$uuid': str(each)} for each in many]}))


@pytest.mark.parametrize('pack', [wire.pack, msgpack.packb], ids=['ours', 'theirs'])
@pytest.mark.parametrize('numbers', [(-2, -1, 0), (-2, -1)], ids=str)
def test_keys_with_the_same_hash_round_trip_in_a_small_message(pack, numbers):
    # -1 and -2 have the same hash in Python, and so have tuples of them
    places = itertools.product(numbers, repeat=3 if 0 in numbers else 5)
    value = dict.fromkeys(places, 1)
    assert wire.unpack(pack(value)) == value
    assert wire.unpack(wire.pack([[value]])) == [[value]]


def test_keys_with_the_same_hash_are_rejected_if_pack_would_need_a_large_message():
    places = itertools.islice(itertools.product((-2, -1), repeat=5), 18)
    data = msgpack.packb(dict.fromkeys(places, 0.5), use_single_float=True)
    assert len(data) < 256
    with pytest.raises(SerializationError, match='share a hash'):
        wire.unpack(data)


def test_numbers_with_the_same_hash_round_trip_because_they_are_few():
    numbers = {2.0 ** (61 * n) for n in range(-17, 17)} | {1 + n * MODULUS for n in range(-4, 8)}
    assert wire.unpack(wire.pack(numbers)) == numbers
    keys = dict.fromkeys(numbers, 'x' * 20)
    assert wire.unpack(wire.pack(keys)) == keys
