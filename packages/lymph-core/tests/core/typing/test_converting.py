"""Values that a type admits arrive as they were, all others are refused with their path."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json as plain_json
import sys
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, NamedTuple, NewType, Optional, TypeVar, Union
from uuid import UUID

import attrs
import gevent
import msgspec
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import NotRequired, Required, TypedDict

from lymph.core._typing.admitting import check_hint
from lymph.core._typing.converting import Arguments, Value
from lymph.core._typing.misfits import Misfit
from lymph.core.failures import Killed
from lymph.exceptions import Cancelled, SerializationError
from lymph.serializers import json, msgpack

T = TypeVar('T')


class Color(enum.Enum):
    RED = 'red'
    BLUE = 'blue'


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


@dataclasses.dataclass
class Line:
    article: str
    price: float
    color: Color = Color.RED


@dataclasses.dataclass(frozen=True)
class Order:
    id: UUID
    lines: list[Line]
    when: datetime.datetime | None = None
    prices: dict[str, Line] = dataclasses.field(default_factory=dict)
    total: Decimal = Decimal(0)


@dataclasses.dataclass
class Tree:
    value: int
    branches: list[Tree] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Box(Generic[T]):
    content: T


@dataclasses.dataclass
class Checked:
    number: int

    def __post_init__(self) -> None:
        if self.number < 0:
            raise ValueError('must not be negative')
        if self.number > 1000:
            raise KeyError('too much')
        if self.number == 666:
            raise SystemExit(3)


@dataclasses.dataclass
class Converting:
    raw: Any

    def __post_init__(self) -> None:
        msgspec.convert(self.raw, dict[str, int])


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
    height: int = attrs.field(default=1, validator=attrs.validators.gt(0))
    _roots: list[int] = attrs.field(factory=list)


class Fish(msgspec.Struct, rename='camel'):
    fin_count: int
    kind: Color | None = None


class Cat(msgspec.Struct, tag=True):
    lives: int


class Dog(msgspec.Struct, tag=True):
    age: float


class Cell(msgspec.Struct, array_like=True):
    row: int
    column: int


class Customer(pydantic.BaseModel):
    name: str
    born: datetime.date | None = None
    color: Color = Color.BLUE
    scores: tuple[int, ...] = ()
    secret: bytes = b''
    mail: str = pydantic.Field('', alias='eMail')


Article = NewType('Article', str)

texts = st.text(alphabet=st.characters(codec='utf-8'), max_size=5)
small = st.integers(-(2**40), 2**40)
floats = st.floats(allow_nan=False, allow_infinity=False)
zones = st.sampled_from([None, datetime.timezone.utc])
lines = st.builds(Line, texts, floats, st.sampled_from(Color))
trees = st.recursive(
    st.builds(Tree, small), lambda inner: st.builds(Tree, small, st.lists(inner, max_size=2))
)

KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    (int, st.integers(-(2**63), 2**64 - 1)),
    (float, floats),
    (str, texts),
    (bool, st.booleans()),
    (None, st.none()),
    (bytes, st.binary(max_size=5)),
    (datetime.datetime, st.datetimes(timezones=zones)),
    (datetime.date, st.dates()),
    (datetime.time, st.times(timezones=zones)),
    (UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (list[int], st.lists(small, max_size=3)),
    (tuple[int, ...], st.lists(small, max_size=3).map(tuple)),
    (tuple[int, str], st.tuples(small, texts)),
    (set[int], st.sets(small, max_size=3)),
    (frozenset[str], st.frozensets(texts, max_size=3)),
    (dict[str, datetime.date], st.dictionaries(texts, st.dates(), max_size=3)),
    (Optional[int], st.none() | small),  # noqa: UP045 - both forms
    (Union[int, str, None], st.none() | small | texts),  # noqa: UP007 - both forms
    (int | list[str], small | st.lists(texts, max_size=3)),
    (Literal['a', 'b', 1], st.sampled_from(['a', 'b', 1])),
    (Color, st.sampled_from(Color)),
    (Level, st.sampled_from(Level)),
    (list[Line], st.lists(lines, max_size=3)),
    (
        Order,
        st.builds(
            Order,
            st.uuids(),
            st.lists(lines, max_size=2),
            st.none() | st.datetimes(timezones=zones),
            st.dictionaries(texts, lines, max_size=2),
            st.decimals(allow_nan=False, allow_infinity=False),
        ),
    ),
    (Tree, trees),
    (Box[int], st.builds(Box, small)),
    (Checked, st.builds(Checked, st.integers(0, 600))),
    (Point, st.builds(Point, small, floats)),
    (Options, st.fixed_dictionaries({'name': texts}, optional={'size': small})),
    (
        Settings,
        st.fixed_dictionaries(
            {'name': texts}, optional={'sizes': st.lists(small, max_size=2).map(tuple)}
        ),
    ),
    (Plant, st.builds(Plant, texts, st.integers(1, 9), st.lists(small, max_size=2))),
    (Fish, st.builds(Fish, small, st.none() | st.sampled_from(Color))),
    (Cat | Dog, st.builds(Cat, small) | st.builds(Dog, floats)),
    (Cell, st.builds(Cell, small, small)),
    (
        Customer,
        st.builds(
            Customer,
            name=texts,
            born=st.none() | st.dates(),
            color=st.sampled_from(Color),
            scores=st.lists(small, max_size=2).map(tuple),
            secret=texts.map(str.encode),
            eMail=texts,
        ),
    ),
    (Article, texts),
    (Annotated[int, msgspec.Meta(ge=0, le=9)], st.integers(0, 9)),
]

if sys.version_info >= (3, 12):  # the statement is not one of older versions
    exec('type Numbers = list[int]\ntype Pair[T] = tuple[T, T]')
    KINDS += [
        (Numbers, st.lists(small, max_size=3)),  # noqa: F821
        (Pair[int], st.tuples(small, small)),  # noqa: F821
    ]

#: what may arrive in place of anything
anything = st.recursive(
    st.none()
    | st.booleans()
    | small
    | floats
    | texts
    | st.sampled_from(['red', 'Cat', '2016-02-19', '5'])
    | st.binary(max_size=3)
    | st.dates()
    | st.datetimes()
    | st.uuids()
    | st.decimals(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.sets(small | texts, max_size=2)
        | st.dictionaries(
            st.sampled_from(['name', 'id', 'lines', 'value', 'type', 'number']) | texts | small,
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)

every_kind = pytest.mark.parametrize(('hint', 'values'), KINDS, ids=lambda each: str(each)[:40])


def outcome(convert, value):
    """Return what a value is converted to, and the text of the error; nothing else is raised."""
    try:
        return convert(value), ''
    except Misfit as misfit:
        return None, str(misfit) or 'no text'


@every_kind
def test_values_of_a_type_survive_msgpack_and_json(hint, values):
    check_hint('it', hint)
    convert = Value(hint)

    @settings(max_examples=20)
    @given(values)
    def travels(value):
        assert convert(msgpack.unpack(msgpack.pack({'it': value}))['it']) == value
        assert convert(json.loads(json.dumps(value))) == value

    travels()


@every_kind
def test_any_other_value_is_rejected_in_one_line_and_no_other_error_is_raised(hint, values):
    convert = Value(hint)

    @settings(max_examples=20)
    @given(anything)
    def is_admitted_or_refused(value):
        made, said = outcome(convert, value)
        assert said.isprintable()
        if not said:
            assert convert(msgpack.unpack(msgpack.pack(made))) == made

    is_admitted_or_refused()


@settings(max_examples=100)
@given(KINDS[[hint for hint, _ in KINDS].index(Order)][1], anything, st.data())
def test_error_names_the_path_of_the_wrong_part(order, wrong, data):
    arrived = msgpack.unpack(msgpack.pack(order))
    field = data.draw(st.sampled_from(sorted(arrived)))
    arrived[field] = wrong
    _, said = outcome(Arguments({'order': Order}), {'order': arrived})
    assert not said or said.startswith(f'order.{field}')


def refused(hint, value, name='it'):
    with pytest.raises(Misfit) as caught:
        Arguments({name: hint})({name: value})
    return str(caught.value)


LINE = {'article': 'a', 'price': 1}
ORDER = {'id': str(UUID(int=1)), 'lines': [LINE, LINE]}


@pytest.mark.parametrize(
    ('hint', 'value', 'said'),
    [
        (int, '5', 'it: expected a whole number, found text'),
        (int, True, 'it: expected a whole number, found true or false'),
        (int, 1.0, 'it: expected a whole number, found a number'),
        (str, 5, 'it: expected text, found a whole number'),
        (bytes, 'aGVsbG8=', 'it: expected bytes, found text'),
        (str, b'x', 'it: expected text, found bytes'),
        (int | None, 'x', 'it: expected a whole number or None, found text'),
        (datetime.date, 'soon', 'it: expected a date in ISO 8601, as 2016-02-19, found '),
        (
            datetime.date,
            datetime.datetime(2016, 2, 19),
            'it: expected a date, found a date and time',
        ),
        (UUID, 'x', "it: expected a UUID, found 'x'"),
        (Color, 'green', "it: expected one of 'red', 'blue', found 'green'"),
        (list[Literal[1, 2]], [1, 3], 'it[1]: expected one of 1, 2, found 3'),
        (Order, {**ORDER, 'lines': [LINE, LINE, {**LINE, 'price': 'x'}]}, 'it.lines[2].price: '),
        (Order, {**ORDER, 'prices': {'a': LINE, 'b': {}}}, "it.prices['b']: missing field 'art"),
        (
            dict[str, dict[str, list[int]]],
            {'a': {'x': [1]}, 'b': {'y': [1], 'z': [1, 2, 'no'], 'u': []}},
            "it['b']['z'][2]: expected a whole number, found text",
        ),
        (dict[int, str], {1: 'a', 'b': 'c', 3: 'd'}, 'it: expected a whole number as key, found '),
        (dict[int, str], {1: 'a', 2: 2, 3: 'd'}, 'it[2]: expected text, found a whole number'),
        (dict[Color, int], {'a': 1}, "it: expected one of 'red', 'blue' as key, found 'a'"),
        (Line, {**LINE, 'x': 1, 5: 2, 'y': 3}, 'it: expected text as key, found 5'),
        (list[Tree], [{'value': 1, 'x': 2, None: 3}], 'it[0]: expected text as key, found None'),
        (Fish, {b'finCount': 1}, "it: expected text as key, found b'finCount'"),
        (Plant, {float('nan'): 1}, 'it: expected text as key, found nan'),
        (Options, {'name': 'a', (1, 2): 1}, 'it: expected text as key, found (1, 2)'),
        (dict[UUID, int], {'a': {}}, "it: expected a UUID as key, found 'a'"),
        (set[Any], [[1]], 'it: expected hashable members, found a list'),
        (tuple[int, str], [1], 'it: expected a list of length 2, found 1'),
        (Annotated[int, msgspec.Meta(ge=0)], -1, 'it: expected a whole number >= 0, found -1'),
        (Checked, {'number': -1}, 'it: must not be negative'),
        (list[Checked], [{'number': 1}, {'number': -1}], 'it[1]: must not be negative'),
        (Checked, {'number': 2000}, 'it: KeyError was raised while it was made'),
        (Checked, {'number': 666}, 'it: SystemExit was raised while it was made'),
        (Converting, {'raw': 'x'}, 'it: Expected `object`, got `str`'),
        (list[Converting], [{'raw': {'a': 'x'}}], 'it: Expected `int`, got `str` - at `$[...]`'),
        (Plant, {'name': 'a', 'height': 0}, "it: 'height' must be > 0: 0"),
        (Fish, {'finCount': 'two'}, 'it.finCount: expected a whole number, found text'),
        (Cat | Dog, {'type': 'Cow'}, "it.type: expected one of 'Cat', 'Dog', found 'Cow'"),
        (Customer, {'name': 5}, 'it.name: expected text, found a whole number'),
        (Customer, {'name': 'a', 'scores': [1, '2']}, 'it.scores[1]: expected a whole number, fou'),
        (Customer, {}, "it: missing field 'name'"),
        (list[Customer], [{'name': 'a', 'color': 'x'}], "it[0].color: expected 'red' or 'blue', f"),
        (dict[str, Customer], {'a': {'name': 'a'}, 'b': {'name': None}}, "it['b'].name: expected "),
    ],
)
def test_value_that_does_not_fit_is_named_with_its_path(hint, value, said):
    assert refused(hint, value).startswith(said)


@pytest.mark.parametrize(
    ('hint', 'value', 'made'),
    [
        (float, 1, 1.0),
        (datetime.date, '2016-02-19', datetime.date(2016, 2, 19)),
        (datetime.datetime, '2016-02-19T12:30:00Z', None),
        (datetime.time, '12:30:00', datetime.time(12, 30)),
        (UUID, str(UUID(int=1)), UUID(int=1)),
        (Decimal, '1.50', Decimal('1.50')),
        (Color, 'red', Color.RED),
        (set[int], [1, 2], {1, 2}),
        (list[int], (1, 2), [1, 2]),
        (dict[int, str], {'1': 'a'}, {1: 'a'}),
        (Line, {**LINE, 'colour': 'of a newer caller'}, Line('a', 1.0)),
        (Customer, {'name': 'a', 'born': '2016-02-19', 'scores': [1]}, None),
        (Customer, {'name': 'a', 'born': datetime.date(2016, 2, 19), 'scores': {1}}, None),
    ],
)
def test_values_of_types_unknown_to_json_may_arrive_as_text_or_lists(hint, value, made):
    found = Value(hint)(value)
    assert made is None or (found == made and type(found) is type(made))


class Blobs(pydantic.BaseModel):
    one: bytes = b''
    several: list[bytes] = []
    marks: set[bytes] = set()


@pytest.mark.parametrize(
    'value', [{'one': b'\xff'}, {'several': [b'a', b'\xff']}, {'marks': {b'\xff'}}]
)
def test_model_gets_bytes_as_they_arrive_wherever_they_are(value):
    assert Value(Blobs)(value) == Blobs(**value)


def test_only_arguments_that_were_given_are_passed_on():
    convert = Arguments({'text': str, 'count': int, 'any': Any}, int)
    thing = object()
    assert convert({'text': 'a'}) == {'text': 'a'}
    assert convert({'any': thing, 'more': 3}) == {'any': thing, 'more': 3}
    with pytest.raises(Misfit, match=r'^more: expected a whole number, found text'):
        convert({'text': 'a', 'more': 'x'})


def test_any_name_that_python_accepts_may_name_an_argument():
    names = ['self', '_x', 'cls', 'type', 'name', 'rename', 'tag', 'convert']
    convert = Arguments(dict.fromkeys(names, int))
    assert convert(dict.fromkeys(names, 1)) == dict.fromkeys(names, 1)


def test_value_without_an_annotation_is_passed_on_unchanged():
    thing = {'a': (1, {2}), b'k': [object()]}
    assert Arguments({'x': Any, 'n': int})({'x': thing, 'n': 1})['x'] is thing


def test_wrong_value_is_found_among_many_keys():
    many = {f'key {n}': n for n in range(3000)}
    assert refused(dict[str, int], {**many, 'key 2345': 'x'}).startswith("it['key 2345']: expected")


def test_key_is_left_out_of_the_path_if_finding_it_takes_too_long(monkeypatch):
    monkeypatch.setattr('lymph.core._typing.search._LONGEST', -1)
    said = refused(dict[str, int], {'a': 1, 'b': 'x', 'c': 2})
    assert said == 'it[...]: expected a whole number, found text'


@pytest.mark.parametrize('end', [Killed, Cancelled, gevent.Timeout])
def test_the_end_of_the_work_passes_through_the_code_of_a_class(end):
    made = []

    def ends(self: Any) -> None:
        made.append(self)
        if self.n == len(made):
            raise end
        if self.n == 0:
            raise ValueError('not 0')

    ending = dataclasses.make_dataclass('Ending', [('n', int)], namespace={'__post_init__': ends})
    with pytest.raises(end):
        Value(ending)({'n': 1})
    with pytest.raises(end):
        Arguments({'it': ending})({'it': {'n': 2}})
    with pytest.raises(end):
        Arguments({}, ending)({'it': {'n': 3}})
    with pytest.raises(end):  # while the key of the wrong value is looked for
        Arguments({'it': dict[str, ending]})({'it': {'a': {'n': 6}, 'b': {'n': 0}}})


def test_error_about_a_value_is_short_and_printable():
    said = refused(dict[str, int], {'\x1b[31m\n' * 100: 'x'})
    assert len(said) < 300
    assert said.isprintable()


def test_plain_json_converts_to_the_same_object():
    order = Order(UUID(int=1), [Line('a', 1.5)], datetime.datetime(2016, 2, 19), {}, Decimal('1.5'))
    text = plain_json.dumps(json.plain(order))
    assert Value(Order)(plain_json.loads(text)) == order


def test_value_that_cannot_be_serialized_is_rejected_by_the_sender():
    with pytest.raises(SerializationError, match=r'at order\.lines\[0\]\.price: complex'):
        msgpack.pack({'order': Order(UUID(int=1), [Line('a', 1j)])})  # type: ignore[arg-type]
