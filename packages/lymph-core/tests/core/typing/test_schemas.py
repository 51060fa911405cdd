"""Schemas of types: valid, and a method takes what its schema admits."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json as plain_json
import re
import sys
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, Optional, TypeVar, Union
from uuid import UUID

import attrs
import jsonschema
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import NotRequired, Required, TypedDict

from lymph.core._typing.bounded_schemas import finished
from lymph.core._typing.converting import Value
from lymph.core._typing.hints import BadAnnotation
from lymph.core._typing.method_schemas import arguments_schema, value_schema
from lymph.core._typing.misfits import Misfit
from lymph.serializers import json

T = TypeVar('T')


class Color(enum.Enum):
    """What it looks like."""

    RED = 'red'
    BLUE = 'blue'


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Line:
    """A line of an order."""

    article: str
    price: Annotated[float, msgspec.Meta(ge=0, description='in EUR')] = 1.5
    color: Color = Color.RED


@dataclasses.dataclass
class Order:
    id: UUID
    lines: list[Line]
    when: datetime.datetime | None = None
    prices: dict[str, Line] = dataclasses.field(default_factory=dict)
    total: Decimal = Decimal(0)
    image: bytes = b'\xff'


@dataclasses.dataclass
class Tree:
    value: int
    branches: list[Tree] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Options(TypedDict, total=False):
    name: Required[str]
    size: int


class Settings(TypedDict):
    name: str
    sizes: NotRequired[tuple[int, ...]]


@attrs.define
class Plant:
    name: str
    height: int = 1


class Fish(msgspec.Struct, rename='camel', forbid_unknown_fields=True):
    fin_count: int
    kind: Color | None = None


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    age: float


class Cell(msgspec.Struct, array_like=True):
    row: int
    column: int = 0


class Strict(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    row: int
    column: int = 0


class Customer(pydantic.BaseModel):
    name: str
    born: datetime.date | None = None
    color: Color = Color.BLUE
    scores: tuple[int, ...] = ()
    friends: list[Customer] = []
    mail: str = pydantic.Field('', alias='eMail')


KINDS: list[Any] = [
    int,
    float,
    str,
    bool,
    None,
    bytes,
    datetime.datetime,
    datetime.date,
    datetime.time,
    UUID,
    Decimal,
    list,
    dict,
    list[int],
    tuple[int, ...],
    tuple[int, str],
    tuple[()],
    set[int],
    frozenset[str],
    dict[str, datetime.date],
    dict[int, str],
    dict[float, str],
    dict[Color, int],
    dict[Level, int],
    dict[Literal['a', 'b'], int],
    dict[Literal[3], int],
    dict[UUID, bool],
    dict[datetime.date, bool],
    dict[Decimal, bool],
    dict[bytes, int],
    dict[int | None, int],
    dict[Annotated[str, msgspec.Meta(min_length=2)], int],
    Optional[int],  # noqa: UP045 - both forms
    Union[int, str, None],  # noqa: UP007 - both forms
    int | list[str],
    Literal['a', 'b', 1, None],
    Color,
    Level,
    list[Line],
    Order,
    Tree,
    Box[int],
    Box[list[Line]],
    Point,
    Options,
    Settings,
    Plant,
    Fish,
    Cat | Dog,
    Cell,
    Strict,
    Customer,
    Annotated[int, msgspec.Meta(ge=0, le=9)],
    Annotated[float, msgspec.Meta(gt=0, lt=9, multiple_of=0.5)],
    Annotated[str, msgspec.Meta(min_length=1, max_length=3, pattern='^a')],
    Annotated[list[int], msgspec.Meta(min_length=1, max_length=2)],
    Annotated[dict[str, int], msgspec.Meta(min_length=1, max_length=2)],
    Annotated[datetime.datetime, msgspec.Meta(tz=True)],
    Annotated[datetime.datetime, msgspec.Meta(tz=False)],
    Annotated[datetime.time, msgspec.Meta(tz=False)],
]

every_kind = pytest.mark.parametrize('hint', KINDS, ids=lambda each: str(each)[:40])

texts = st.text(alphabet=st.characters(codec='utf-8'), max_size=5)
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 9) | st.sampled_from([0.5, -1.25]) | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=4,
)
clock = st.times().map(datetime.time.isoformat)
day = st.dates().map(datetime.date.isoformat)
offset = st.sampled_from(['Z', '+01:00', '-11:30'])
FORMATS = {
    'date-time': st.builds('{}T{}{}'.format, day, clock, offset),
    'time': st.builds('{}{}'.format, clock, offset),
    'date': day,
    'uuid': st.uuids().map(str),
}


CHECKER = jsonschema.FormatChecker()


@CHECKER.checks('date-time')
@CHECKER.checks('time')
def has_a_clock(value: object) -> bool:
    return not isinstance(value, str) or re.search(r'\d\d:\d\d:\d\d', value) is not None


class Generator:
    """Makes values that a schema admits, of the keywords that lymph and pydantic write."""

    def __init__(self, root: dict[str, Any]) -> None:
        self.definitions = root.get('$defs', {})

    def of(self, schema: Any, depth: int = 0) -> st.SearchStrategy[Any]:
        if schema is False:
            return st.nothing()
        if '$ref' in schema:
            return self.of(self.definitions[schema['$ref'].removeprefix('#/$defs/')], depth)
        if 'anyOf' in schema:
            return st.one_of([self.of(each, depth + 1) for each in schema['anyOf']])
        if 'enum' in schema:
            return st.sampled_from(schema['enum'])
        if 'const' in schema:
            return st.just(schema['const'])
        kinds = schema.get('type')
        if kinds is None and not {'pattern', 'format', 'minLength'} & schema.keys():
            return anything
        kinds = kinds if isinstance(kinds, list) else [kinds or 'string']
        return st.one_of([getattr(self, f'a_{kind}')(schema, depth) for kind in kinds])

    def a_null(self, schema, depth):
        return st.none()

    def a_boolean(self, schema, depth):
        return st.booleans()

    def a_integer(self, schema, depth):
        return st.integers(schema.get('minimum', -(2**40)), schema.get('maximum', 2**40))

    def a_number(self, schema, depth):
        if 'multipleOf' in schema:
            return st.integers(1, 17).map(lambda n: n / 2)
        return st.integers(0, 9) | st.floats(
            schema.get('minimum', -1e9), schema.get('maximum', 1e9), allow_nan=False
        )

    def a_string(self, schema, depth):
        if 'contentEncoding' in schema or ('pattern' in schema and 'minLength' not in schema):
            # `$` also matches before a line break in Python, but not in JSON Schema
            found = re.compile(schema['pattern'].replace('$', r'\Z'), re.ASCII)
            return st.from_regex(found).filter(lambda each: '-02-29' not in each)
        if schema.get('format') in FORMATS:
            return FORMATS[schema['format']]
        sizes = schema.get('minLength', 0), schema.get('maxLength', 5)
        start = 'a' if 'pattern' in schema else ''
        text = st.text(
            st.characters(codec='utf-8'),
            min_size=max(0, sizes[0] - len(start)),
            max_size=sizes[1] - len(start),
        )
        return text.map(lambda each: start + each)

    def a_array(self, schema, depth):
        places = [self.of(each, depth + 1) for each in schema.get('prefixItems', ())]
        if places or schema.get('maxItems') == 0:
            least = schema['minItems']
            fixed = [st.tuples(*places[:n]) for n in range(least, len(places) + 1)]
            return st.one_of(fixed).map(list)
        if depth > 6:
            return st.just([])
        return st.lists(
            self.of(schema.get('items', {}), depth + 1),
            min_size=schema.get('minItems', 0),
            max_size=schema.get('maxItems', 2),
        )

    def a_object(self, schema, depth):
        properties = schema.get('properties', {})
        required = set(schema.get('required', ()))
        fixed = st.fixed_dictionaries(
            {name: self.of(properties[name], depth + 1) for name in required},
            optional={
                name: self.of(each, depth + 1)
                for name, each in properties.items()
                if name not in required and depth < 6
            },
        )
        others = schema.get('additionalProperties', {})
        names = schema.get('propertyNames', {})
        if others is False or names is False or properties or depth > 6:
            return fixed
        more = st.dictionaries(
            texts if names == {} else self.of(names, depth + 1),
            self.of(others, depth + 1),
            min_size=schema.get('minProperties', 0),
            max_size=schema.get('maxProperties', 2),
        )
        return st.builds(lambda one, other: {**other, **one}, fixed, more)


def validator(schema: Any) -> Any:
    return jsonschema.Draft202012Validator(schema, format_checker=CHECKER)


@every_kind
def test_schema_is_valid_and_can_be_sent(hint):
    for schema in (value_schema(hint), value_schema(hint, result=True)):
        jsonschema.Draft202012Validator.check_schema(schema)
        assert schema['$schema'] == 'https://json-schema.org/draft/2020-12/schema'
        assert json.loads(json.dumps({'it': [schema]})) == {'it': [schema]}


@every_kind
def test_method_accepts_what_its_schema_accepts(hint):
    schema, convert = value_schema(hint), Value(hint)
    check = validator(schema)

    @settings(max_examples=10)
    @given(Generator(schema).of(schema))
    def admits(value):
        assert check.is_valid(value), value
        convert(json.loads(plain_json.dumps(value)))

    admits()


@every_kind
def test_schema_rejects_what_the_method_rejects(hint):
    check, convert = validator(value_schema(hint)), Value(hint)

    @settings(max_examples=8)
    @given(anything)
    def refuses(value):
        if check.is_valid(value):
            convert(json.loads(plain_json.dumps(value)))

    refuses()


def test_schemas_of_classes_have_names_docstrings_and_defaults():
    schema = value_schema(Order)
    line = schema['$defs']['Line']
    assert (line['title'], line['description']) == ('Line', 'A line of an order.')
    assert line['required'] == ['article']
    assert line['properties']['price'] == {
        'type': 'number',
        'minimum': 0,
        'description': 'in EUR',
        'default': 1.5,
    }
    assert line['properties']['color'] == {'$ref': '#/$defs/Color', 'default': 'red'}
    assert schema['$defs']['Color'] == {
        'title': 'Color',
        'description': 'What it looks like.',
        'enum': ['red', 'blue'],
    }
    order = schema['$defs']['Order']['properties']
    assert (order['prices']['default'], order['total']['default']) == ({}, '0')
    assert order['image']['default'] == {'$bytes': '/w=='}
    assert 'description' not in schema['$defs']['Order']


class Priced(pydantic.BaseModel):
    net: float = 1.0

    @pydantic.computed_field  # type: ignore[prop-decorator]
    @property
    def gross(self) -> float:
        return self.net * 1.19


class Counted(pydantic.BaseModel):
    count: int
    few: int | None = pydantic.Field(None, ge=0, le=9)


@pytest.mark.parametrize('hint', [int, Counted, dict[str, int]], ids=str)
def test_whole_numbers_that_cannot_be_sent_are_not_admitted(hint):
    check = validator(value_schema(hint))

    def holds(number):
        return {int: number}.get(hint, {'count': number})

    assert check.is_valid(holds(2**64 - 1))
    assert check.is_valid(holds(-(2**63)))
    assert not check.is_valid(holds(2**64))
    assert not check.is_valid(holds(-(2**63) - 1))


def test_bounds_of_whole_numbers_stay_as_they_are_declared():
    few = value_schema(Counted)['$defs']['Counted']['properties']['few']['anyOf'][0]
    assert (few['minimum'], few['maximum']) == (0, 9)


class Card(pydantic.BaseModel):
    kind: Literal['card'] = 'card'
    picture: bytes = b''


class Cash(pydantic.BaseModel):
    kind: Literal['cash']


class Payment(pydantic.BaseModel):
    by: Card | Cash = pydantic.Field(discriminator='kind')


def test_union_with_a_discriminator_needs_it():
    check = validator(value_schema(Payment))
    assert check.is_valid({'by': {'kind': 'card', 'picture': 'x'}})
    assert not check.is_valid({'by': {}})
    with pytest.raises(Misfit):
        Value(Payment)({'by': {}})


def test_schema_of_a_result_describes_a_model_as_it_is_sent():
    taken, sent = value_schema(Priced), value_schema(Priced, result=True)
    assert [*taken['$defs']['Priced']['properties']] == ['net']
    assert [*sent['$defs']['Priced']['properties']] == ['net', 'gross']


def test_classes_with_the_same_name_have_separate_definitions():
    def make(kind: Any) -> Any:
        return dataclasses.make_dataclass('Same', [('it', kind)])

    schema = value_schema(tuple[make(int), make(str), Box[int], Box[str]])
    assert schema['prefixItems'] == [
        {'$ref': f'#/$defs/{name}'} for name in ('Same', 'Same_2', 'Box_int', 'Box_str')
    ]
    assert schema['$defs']['Same_2']['properties'] == {'it': {'type': 'string'}}


def test_schema_of_arguments_is_an_object_with_the_parameters_as_members():
    hints = {'order': Order, 'count': int, 'rest': Any}
    schema = arguments_schema(hints, {'count': 3, 'rest': None}, None, ['self'])
    assert schema['properties'] == {
        'order': {'$ref': '#/$defs/Order'},
        'count': {'type': 'integer', 'minimum': -(2**63), 'maximum': 2**64 - 1, 'default': 3},
        'rest': {'default': None},
    }
    assert (schema['required'], schema['additionalProperties']) == (['order'], False)
    assert {'Order', 'Line', 'Color'} == schema['$defs'].keys()
    check = validator(arguments_schema({'n': Any}, {}, int, ['self']))
    assert check.is_valid({'n': 1, 'other': 2})
    assert not check.is_valid({'n': 1, 'other': 'x'})
    assert not check.is_valid({'n': 1, 'self': 2})


def test_schema_of_a_method_without_annotations_accepts_all_arguments():
    schema = arguments_schema({'a': Any, 'b': object}, {'b': print}, None, ['self'])
    assert schema['properties'] == {'a': {}, 'b': {}}
    assert value_schema(Any) == value_schema(object, result=True) == {}


@pytest.mark.parametrize('hint', [print, complex, datetime.timedelta, list[complex]])
def test_result_that_cannot_be_described_is_an_error_that_names_it(hint):
    with pytest.raises(BadAnnotation, match=r'^result: '):
        value_schema(hint, result=True)


class Odd(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(json_schema_extra={'odd': object()})


@pytest.mark.parametrize(
    ('schema', 'problem'),
    [
        ({'a': object()}, 'the schema has a object, which is not a JSON type'),
        ({'a': {1: 2}}, 'the schema has a int as a key'),
        ({'a': [float('nan')]}, 'the schema has the number nan'),
        ({'a': 'x' * 10**6}, 'the schema is too large to be sent'),
        ({'enum': list(range(10**5))}, 'the schema is too large to be sent'),
    ],
)
def test_schema_that_cannot_be_sent_is_an_error(schema, problem):
    with pytest.raises(ValueError, match=problem):
        finished(schema, {})


def test_deeply_nested_schema_is_an_error_and_its_depth_is_bounded():
    deep: Any = int
    for _ in range(30):
        deep = list[deep]
    with pytest.raises(ValueError, match='nested too deeply'):
        value_schema(deep)
    with pytest.raises(ValueError, match='which is not a JSON type'):
        value_schema(Odd)
    assert sys.getsizeof(value_schema(list[list[int]])) < 1000
