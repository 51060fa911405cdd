"""Objects with fields travel as their fields, Enums as their values, in both serializers."""

from __future__ import annotations

import dataclasses
import enum
import json as plain_json
import subprocess
import sys
from typing import Any, ClassVar, NamedTuple

import attrs
import msgspec
import pydantic
import pytest

from lymph.exceptions import SerializationError
from lymph.serializers import json
from lymph.serializers import msgpack as wire

DUMPS = {'msgpack': wire.pack, 'json': json.dumps}
TRAVEL = {
    'msgpack': lambda value: wire.unpack(wire.pack(value)),
    'json': lambda value: json.loads(json.dumps(value)),
}


@pytest.fixture(params=TRAVEL)
def travel(request):
    return TRAVEL[request.param]


class Color(enum.Enum):
    RED = 'red'
    ODD = (1, 2)


class Name(enum.Enum):
    TYPE = '$set'


@dataclasses.dataclass
class Line:
    price: Any
    color: Color = Color.RED
    known: ClassVar[int] = 5
    _note: str = ''


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    id: int


@attrs.define
class Plant:
    name: str
    _roots: list[Any] = attrs.field(factory=list)


class Fish(msgspec.Struct, rename='camel', tag='fish', frozen=True):
    fin_count: int
    mother: Any = msgspec.UNSET


class Cell(msgspec.Struct, array_like=True):
    row: int
    column: int


class Customer(pydantic.BaseModel):
    name: str
    color: Color = Color.RED
    mail: str = pydantic.Field('', alias='eMail')


class Point(NamedTuple):
    x: Any
    y: Color = Color.RED


class Dumping(Line):
    def _lymph_dump_(self):
        return 'its own way'


@dataclasses.dataclass
class Mapping(dict):
    field: int = 1


OBJECTS = [
    (Color.RED, 'red'),
    (Color.ODD, [1, 2]),
    (Line(1.5), {'price': 1.5, 'color': 'red', '_note': ''}),
    (Frozen(1), {'id': 1}),
    (Plant('oak', [Frozen(1)]), {'name': 'oak', '_roots': [{'id': 1}]}),
    (Fish(2), {'type': 'fish', 'finCount': 2}),
    (Fish(2, Fish(3)), {'type': 'fish', 'finCount': 2, 'mother': {'type': 'fish', 'finCount': 3}}),
    (Cell(1, 2), [1, 2]),
    (Customer(name='Ada'), {'name': 'Ada', 'color': 'red', 'eMail': ''}),
    (Point(Line({1})), [{'price': {1}, 'color': 'red', '_note': ''}, 'red']),
    (Dumping(1), 'its own way'),
    (Mapping(), {}),
]


@pytest.mark.parametrize(('value', 'arrived'), OBJECTS, ids=repr)
def test_objects_are_sent_as_their_fields_or_their_value(travel, value, arrived):
    for wrap in (lambda v: v, lambda v: {'a': [v]}, lambda v: [v, 'x' * 1000, v]):
        assert travel(wrap(value)) == wrap(arrived)


def test_enum_may_be_a_dict_key_and_a_set_member(travel):
    assert travel({Color.RED: {Color.RED}}) == {'red': {'red'}}
    assert travel({Name.TYPE: [1]}) == {'$set': [1]}
    keys = {Color.RED: 1, 'red': 2}
    for value in (
        keys,
        {'a': [keys]},
        [Line(keys)],
        Fish(1, (Line([keys]),)),
        Line({'a': (keys,)}),
    ):
        with pytest.raises(SerializationError, match='two keys of it are equal when they arrive'):
            travel(value)


def test_object_sent_as_a_mapping_is_rejected_as_dict_key_and_set_member(travel):
    refused = [{Frozen(1): 1}, {Frozen(1)}, {(Frozen(1),)}, {'a': {Fish(1)}}]
    refused += [Line({(1, Frozen(1)): 1}), [Frozen({Frozen(1): 1})], Fish(1, {'a': {Fish(1): 1}})]
    for value in refused:
        with pytest.raises(SerializationError):
            travel(value)


def test_nesting_of_objects_is_bounded(travel):
    circle = Line(None)
    circle.price = [circle]
    with pytest.raises(SerializationError, match='more than 32 containers inside each other'):
        travel(circle)
    deep: Any = 1
    for _ in range(32):
        deep = Line(deep)
    assert travel(deep)['price']
    with pytest.raises(SerializationError, match=r'at price\.price.*more than 32 containers'):
        travel(Line(deep))


def test_field_that_cannot_be_serialized_is_named_with_its_path(travel):
    value = {'order': [Frozen(1), Line(Plant('x', [1, 1j]))]}
    with pytest.raises(SerializationError, match=r'at order\[1\]\.price\._roots\[1\]: complex: '):
        travel(value)


class _RaisingMeta(type):
    def __getattr__(cls, name):
        raise SystemExit if name == '_lymph_dump_' else AttributeError(name)


class _Raising(metaclass=_RaisingMeta):
    pass


class _Odd:
    __dataclass_fields__ = 5


class _Property(enum.Enum):
    ONE = 1

    @property
    def value(self):
        raise SystemExit


def _half_made():
    made = Frozen(1)
    object.__delattr__(made, 'id')
    return made


@pytest.mark.parametrize(
    ('make', 'said'),
    [
        (_half_made, "has no attribute 'id'"),
        (_Raising, 'its class raised SystemExit'),
        (_Odd, ''),
        (lambda: _Property.ONE, 'dumping it raised SystemExit'),
        (lambda: Customer.model_construct(name=object()), ''),
        (lambda: Line, 'type: expected None, a bool'),
    ],
    ids=['half made', 'metaclass', 'fields', 'property', 'model', 'class'],
)
def test_an_object_that_cannot_be_dumped_is_an_error_with_its_path(travel, make, said):
    with pytest.raises(SerializationError) as caught:
        travel({'a': [make()]})
    assert 'at a[0]: ' in str(caught.value)
    assert said in str(caught.value)
    assert travel({'a': [1]}) == {'a': [1]}


def test_plain_json_shows_objects_by_their_fields():
    assert json.plain({'a': [Line(1), Color.RED]}) == {
        'a': [{'price': 1, 'color': 'red', '_note': ''}, 'red']
    }


def test_objects_are_recognised_without_importing_their_libraries():
    script = (
        'import dataclasses, json, sys\n'
        'from lymph.serializers.msgpack import pack\n'
        'Line = dataclasses.make_dataclass("Line", ["a"])\n'
        'pack(Line([Line(1)]))\n'
        'print(json.dumps([n for n in ("msgspec", "attr", "pydantic") if n in sys.modules]))\n'
    )
    done = subprocess.run([sys.executable, '-c', script], stdout=subprocess.PIPE, check=True)
    assert plain_json.loads(done.stdout) == []
