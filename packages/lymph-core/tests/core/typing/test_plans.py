"""Annotations become plans when an interface is installed, or are refused in one line."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import functools
import json
import pathlib
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeVar

import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType, TypedDict, Unpack

from lymph.core._typing.misfits import Misfit
from lymph.core._typing.parts import endless_alias
from lymph.core._typing.plans import event_plan, plan_of, result_of
from lymph.core.events import Event
from lymph.exceptions import ConfigurationError, EventRejected

if TYPE_CHECKING:
    from decimal import Decimal as OnlyForCheckers

AnEvent = Event
Whole = TypeAliasType('Whole', Event)
AnythingElse = TypeAliasType('AnythingElse', Any)


class Plain:
    """A class of which nothing is known."""


@dataclasses.dataclass
class Order:
    id: int


# as Python 3.12 makes it of `type Placed = Event[Order]`
Placed = TypeAliasType('Placed', Event[Order])
SamePlaced = TypeAliasType('SamePlaced', Placed)


@dataclasses.dataclass
class Other:
    name: str


@dataclasses.dataclass
class Hidden:
    price: OnlyForCheckers


@dataclasses.dataclass
class Waiting:
    seconds: datetime.timedelta


@pydantic.dataclasses.dataclass
class OfPydantic:
    id: int


class Model(pydantic.BaseModel):
    id: int


class Keys(TypedDict):
    id: int


class Mixed(enum.Enum):
    ONE = 1
    TWO = 'two'


class Row(NamedTuple):
    id: int


class Shop:
    Nested = Order
    int = 'not a type'

    @dataclasses.dataclass
    class Local:
        id: int

    def list(self) -> list[str]:
        return []

    def nested(self, a: Nested, b: Local, c: list[int]) -> None: ...
    def quoted(self, a: 'list["Order"]') -> None: ...  # noqa: UP037 - that is what is tested
    def defaulted(self, a: int = None, b: str = 'x') -> None: ...  # type: ignore[assignment]  # noqa: RUF013
    def others(self, a: int, *rest: str, **more: float) -> None: ...
    def keywords(self, *, _x: int, type: str) -> None: ...
    def only_for_checkers(self, price: OnlyForCheckers) -> None: ...
    def inside(self, hidden: list[Hidden]) -> None: ...
    def wrong(self, order: Order.nothing) -> None: ...
    def unknown(self, thing: Plain) -> None: ...
    def union(self, order: Order | Other) -> None: ...
    def waiting(self, waiting: Waiting) -> None: ...
    def function(self, done: collections.abc.Callable[[], None]) -> None: ...
    def variable(self, n: ClassVar[Order]) -> None: ...
    def mixed(self, mixed: Mixed) -> None: ...
    def model(self, it: OfPydantic) -> None: ...
    def queue(self, queue: collections.deque[Order]) -> None: ...
    def iterable(self, orders: collections.abc.Iterable[Order]) -> None: ...
    def counts(self, words: collections.Counter[str]) -> None: ...
    def file(self, path: list[pathlib.Path | None]) -> None: ...
    def member(self, orders: set[Order]) -> None: ...
    def members(self, rows: set[tuple[list[int], ...]]) -> None: ...
    def raw(self, it: list[msgspec.Raw]) -> None: ...
    def extension(self, it: msgspec.msgpack.Ext) -> None: ...
    def key(self, orders: dict[str, dict[tuple[int, list[int]], int]]) -> None: ...
    def file_or_number(self, it: dict[str, int | pathlib.Path]) -> None: ...
    def model_or_number(self, it: int | Model) -> None: ...
    def unpacked(self, **more: Unpack[Keys]) -> None: ...
    def no_type(self, it: 5 = None) -> None: ...  # type: ignore[valid-type]
    def itself(self, shop: Shop) -> None: ...
    def free(self, a, b: Any = 1, c: object = None) -> None: ...
    def orders(self) -> list[Order]: ...
    def strange(self) -> Plain: ...
    def result(self, a) -> OnlyForCheckers: ...  # type: ignore[no-untyped-def]

    def event(self, event: Event) -> None: ...
    def alias(self, event: AnEvent) -> None: ...
    def anything(self, event: Any) -> None: ...
    def bare(self, event) -> None: ...
    def of_order(self, event: Event[Order]) -> None: ...
    def placed(self, event: SamePlaced) -> None: ...
    def whole(self, event: Whole) -> None: ...
    def anything_else(self, event: AnythingElse) -> None: ...
    def of_open(self, event: Event[Any]) -> None: ...
    def event_or_none(self, event: Event | None) -> None: ...
    def event_by_default(self, event: Event = None) -> None: ...  # type: ignore[assignment]
    def of_order_or_none(self, event: Event[Order] | None = None) -> None: ...
    def payload(self, order: Order) -> None: ...
    def mapping(self, order: dict[str, int]) -> None: ...
    def optional(self, order: Order | None) -> None: ...
    def number(self, event: int) -> None: ...
    def row(self, event: Event[Row]) -> None: ...
    def all(self, *events: Order) -> None: ...


def planned(name):
    return plan_of(f'Shop.{name}', vars(Shop)[name], owner=Shop)


def of_event(name):
    return event_plan(f'Shop.{name}', vars(Shop)[name], owner=Shop)


def test_annotations_are_resolved_in_class_and_module_and_methods_hide_no_types():
    assert planned('nested').hints.parameters == {'a': Order, 'b': Shop.Local, 'c': list[int]}
    assert planned('nested').convert({'a': {'id': 1}}) == {'a': Order(1)}
    assert planned('quoted').convert({'a': [{'id': 1}]}) == {'a': [Order(1)]}


def test_annotations_may_name_variables_of_the_closure():
    @dataclasses.dataclass
    class Enclosed:
        id: int

    def method(self: Any, it: Enclosed) -> Any:
        return Enclosed

    assert plan_of('m', method).convert({'it': {'id': 1}}) == {'it': Enclosed(1)}


def test_annotations_may_name_type_parameters_of_the_function_and_its_class():
    class Store:  # as Python 3.12 makes it of `class Store[K]` and `def put[V]`
        __type_params__ = (TypeVar('K', bound=str),)

        def put(self, key: K, values: list[V]) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    Store.put.__type_params__ = (TypeVar('V', bound=int),)
    convert = plan_of('put', Store.put, owner=Store).convert
    assert convert({'key': 'a', 'values': [1]}) == {'key': 'a', 'values': [1]}
    with pytest.raises(Misfit, match=r'^key: expected text, found a whole number'):
        convert({'key': 1, 'values': []})
    with pytest.raises(Misfit, match=r'^values\[0\]: expected a whole number, found text'):
        convert({'key': 'a', 'values': ['x']})


def test_type_alias_is_replaced_by_its_type():
    assert of_event('placed').convert(Event('x', {'id': 1})).body == Order(1)
    assert of_event('whole') is of_event('anything_else') is None


def later(name: str, value: str) -> Any:
    """Return an alias as Python 3.12 makes it of ``type name = value``, evaluated when asked for.

    msgspec takes it for no alias, so that no test follows one without an end.
    """
    facts = {
        '__module__': 'typing_extensions',
        '__value__': property(lambda self: eval(value)),
        '__repr__': lambda self: name,
        '__call__': lambda self: None,  # Python 3.10 takes nothing else for a type
    }
    return type('TypeAliasType', (), facts)()


Rows = later('Rows', 'list[dict[str, Rows]]')
Ping = later('Ping', 'Pong')
Pong = later('Pong', 'Ping')
Branches = later('Branches', 'list[Tree]')
Number = later('Number', 'tuple[Small, Small]')
Small = later('Small', 'int')


@dataclasses.dataclass
class Tree:
    branches: Branches


@dataclasses.dataclass
class HasRows:
    shared: ClassVar[Ping]
    rows: list[Rows]


class PingRow(NamedTuple):
    ping: Ping


@pytest.mark.parametrize(
    ('hint', 'alias'),
    [
        (list[Rows], 'Rows'),
        (dict[str, list[Ping]], 'Ping'),
        (tuple[int, Pong], 'Pong'),
        (list[HasRows], 'Rows'),
        (dict[str, PingRow], 'Ping'),
        (tuple[Number, Rows], 'Rows'),
    ],
)
def test_alias_that_refers_to_itself_is_refused(hint, alias):
    def method(self, it): ...

    method.__annotations__ = {'it': hint}
    said = rf'^m: it: .*, the alias {alias} refers to itself, .* or declare the method with check=F'
    with pytest.raises(ConfigurationError, match=said) as caught:
        plan_of('m', method)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize('hint', [list[Branches], list[Tree], Number, tuple[Number, Small, Small]])
def test_type_alias_may_be_used_twice_and_may_refer_to_itself_in_a_class(hint):
    assert endless_alias(hint) is None


def test_annotations_are_read_from_the_wrapped_function():
    @functools.wraps(Shop.quoted)
    def wrapper(*args: Any, **kwargs: Any) -> None: ...

    for func in (wrapper, functools.partial(Shop.quoted), functools.cache(Shop.quoted)):
        assert plan_of('m', func).convert({'a': [{'id': 1}]}) == {'a': [Order(1)]}


class Callee:
    def __call__(self, interface: Any, order: Order) -> None: ...


def test_annotations_of_a_callable_object_are_read_from_its_call_method():
    assert plan_of('m', Callee()).convert({'order': {'id': 1}}) == {'order': Order(1)}


def test_parameter_with_the_default_none_accepts_none():
    assert planned('defaulted').convert({'a': None}) == {'a': None}
    with pytest.raises(Misfit, match=r'^b: expected text, found None'):
        planned('defaulted').convert({'b': None})


def test_further_keywords_are_checked_by_the_annotation_of_kwargs():
    assert planned('others').convert({'a': 1, 'x': 2}) == {'a': 1, 'x': 2.0}
    with pytest.raises(Misfit, match=r'^x: expected a number, found text'):
        planned('others').convert({'a': 1, 'x': 'y'})


def test_keyword_only_parameters_of_any_name_are_checked():
    assert planned('keywords').convert({'_x': 1, 'type': 'a'}) == {'_x': 1, 'type': 'a'}
    with pytest.raises(Misfit, match=r'^_x: expected a whole number'):
        planned('keywords').convert({'_x': 'a', 'type': 'a'})


@pytest.mark.parametrize('name', ['free', 'result'])
def test_no_plan_is_made_if_no_parameter_needs_a_check(name):
    assert planned(name) is None


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        (
            'only_for_checkers',
            "price: the name 'OnlyForCheckers' in the annotation OnlyForCheckers",
        ),
        ('inside', "the name 'OnlyForCheckers' in a class of the annotation list["),
        ('wrong', 'order: the annotation Order.nothing cannot be evaluated (AttributeError: '),
        ('unknown', 'is not a type that can be checked; write a builtin type, a dataclass'),
        ('union', 'cannot be told apart; write one of them, or classes of msgspec.Struct'),
        ('waiting', 'a timedelta cannot be sent; write float'),
        ('function', 'is not a type that can be checked'),
        ('variable', 'n: the annotation ClassVar[Order] cannot be evaluated (TypeError: '),
        ('mixed', 'the values of an Enum have to be all text or all whole numbers'),
        ('model', 'is a dataclass of pydantic; write a pydantic.BaseModel'),
        ('queue', 'deque is not a type that can be checked; write list or Sequence'),
        ('iterable', 'Iterable is not a type that can be checked; write list or Sequence'),
        ('counts', 'Counter is not a type that can be checked; write dict or Mapping'),
        ('file', 'Path is not a type that can be checked; write str'),
        ('file_or_number', 'Path is not a type that can be checked; write str'),
        ('model_or_number', 'such a class can only be in a union with None'),
        ('unpacked', 'Keys] cannot be checked; write them as parameters, or declare'),
        ('member', 'a list, set or mapping cannot be a member of a set; write a list of them'),
        ('members', 'a list, set or mapping cannot be a member of a set; write a list of them'),
        ('raw', 'RawType is not a type of values'),
        ('extension', 'ExtType is not a type of values'),
        ('key', 'a list, set or mapping cannot be a key; write text, a number or a tuple'),
        (
            'no_type',
            'it: expected a type that can be checked, found '
            if sys.version_info >= (3, 11)
            else 'it: the annotation 5 cannot be evaluated (TypeError: ',
        ),
        ('itself', 'Shop is not a type that can be checked'),
    ],
)
def test_annotation_that_cannot_be_checked_is_rejected_in_one_line(name, said):
    with pytest.raises(ConfigurationError) as caught:
        planned(name)
    text = str(caught.value)
    assert text.startswith(f'Shop.{name}: ')
    assert said in text
    assert 'check=False' in text
    assert text.isprintable()


def test_rejected_event_does_not_show_the_error_of_the_validator():
    handle = of_event('payload').around(print)
    with pytest.raises(EventRejected, match=r'^id: expected a whole number, found text$') as caught:
        handle(Event('x', {'id': 'a'}))
    assert 'ValidationError' not in ''.join(traceback.format_exception(caught.value))


def test_rejected_event_has_the_error_that_code_of_its_class_raised_as_its_cause():
    problem = LookupError('unlucky')

    def fails(self: object) -> None:
        raise problem

    failing = dataclasses.make_dataclass(
        'Failing', [('id', int)], namespace={'__post_init__': fails}
    )

    def on_event(self, event): ...

    on_event.__annotations__ = {'event': failing}
    handle = event_plan('m', on_event).around(print)
    with pytest.raises(EventRejected) as caught:
        handle(Event('x', {'id': 1}))
    assert caught.value.__cause__ is problem
    assert 'unlucky' not in str(caught.value)


ANY_EVENT = ['event', 'alias', 'anything', 'bare', 'of_open', 'all']


@pytest.mark.parametrize('name', [*ANY_EVENT, 'event_or_none', 'event_by_default'])
def test_no_plan_is_made_for_a_handler_of_any_event(name):
    assert of_event(name) is None


def test_handler_gets_the_event_with_a_converted_body_or_the_payload_itself():
    event = Event('x', {'id': 1}, 'source', {'trace_id': 't'}, 'an-id', attempt=3)
    made = of_event('of_order').convert(event)
    assert (made.body, made.type, made.source, made.headers, made.id, made.attempt) == (
        Order(1),
        *('x', 'source', {'trace_id': 't'}, 'an-id', 3),
    )
    assert event.body == {'id': 1}
    assert of_event('of_order_or_none').convert(event).body == Order(1)
    assert of_event('payload').convert(event) == Order(1)
    assert of_event('optional').convert(event) == Order(1)
    assert of_event('mapping').convert(event) == {'id': 1}
    with pytest.raises(Misfit, match=r'^id: expected a whole number, found text'):
        of_event('payload').convert(Event('x', {'id': 'a'}))


@pytest.mark.parametrize('name', ['number', 'row'])
def test_payload_that_is_not_a_mapping_is_rejected(name):
    with pytest.raises(ConfigurationError, match='a type of mappings, as all payloads are'):
        of_event(name)


def test_result_is_converted_to_its_annotated_type():
    convert = result_of('Shop.orders', Shop.orders, Shop)
    assert convert([{'id': 1}]) == [Order(1)]
    with pytest.raises(Misfit, match=r'^\[0\]\.id: expected a whole number, found text'):
        convert([{'id': 'x'}])
    assert result_of('f', lambda self: None) is None
    with pytest.raises(ConfigurationError, match=r'^Shop\.strange: result: '):
        result_of('Shop.strange', Shop.strange, Shop)


def test_msgspec_is_imported_only_where_an_annotation_needs_it():
    script = (
        'import json, sys, lymph.core.container\n'
        'from lymph.core._typing.plans import plan_of\n'
        'plan_of("m", lambda self, a: a)\n'
        'before = "msgspec" in sys.modules\n'
        'def m(self, a: int): ...\n'
        'plan_of("m", m)\n'
        'found = [n for n in ("msgspec", "attrs", "attr", "pydantic") if n in sys.modules]\n'
        'print(json.dumps([before, found]))\n'
    )
    done = subprocess.run([sys.executable, '-c', script], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout) == [False, ['msgspec']]
