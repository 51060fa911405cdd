"""Calls, events and tasks get what their annotations say, or nothing runs."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import logging
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import pydantic
import pytest
from gevent.queue import Queue

import lymph
from lymph.exceptions import ConfigurationError, Failed, Refused
from lymph.patterns.serial_events import serial_event
from lymph.testing.waiting import eventually

if TYPE_CHECKING:
    from nowhere import Nothing


class Color(enum.Enum):
    RED = 'red'


@dataclasses.dataclass
class Line:
    article: str
    price: float = 0.0


@dataclasses.dataclass
class Order:
    id: int
    lines: list[Line] = dataclasses.field(default_factory=list)
    color: Color = Color.RED
    day: datetime.date | None = None

    def __post_init__(self) -> None:
        if self.id < 0:
            raise ValueError('an id is not negative')
        if self.id == 13:
            raise LookupError('unlucky')


@attrs.define
class Plant:
    name: str


class Fish(msgspec.Struct):
    fins: int


class Customer(pydantic.BaseModel):
    name: str
    orders: list[int] = []


class Stock(lymph.Interface):
    """Records what its methods, handlers and tasks are called with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.done: Queue[Any] = Queue()

    @lymph.rpc()
    def take(self, order: Order, count: int = 1, *, note: str | None = None) -> Order:
        self.done.put((order, count, note))
        return order

    @lymph.rpc()
    def kinds(self, plant: Plant, fish: Fish, customer: Customer, **others: int) -> list[Any]:
        self.done.put((plant, fish, customer, others))
        return [plant, fish, customer, Color.RED]

    @lymph.rpc(check=False)
    def unchecked(self, count: int, order: Nothing) -> list[Any]:
        return [count, order]

    @lymph.rpc()
    def free(self, value, more: Any = None):
        return value

    @lymph.rpc()
    def wrong(self) -> Order:
        return {'not': 'an order'}  # type: ignore[return-value]

    @lymph.rpc()
    def unsendable(self) -> Order:
        return Order(1, [Line('a', 1j)])  # type: ignore[arg-type]

    @lymph.raw_rpc()
    def raw(self, channel, order: Order):
        channel.reply(type(order).__name__)

    @lymph.event('order.event')
    def on_event(self, event: lymph.Event[Order]) -> None:
        self.done.put((event.type, event.body))

    @lymph.event('order.payload', retry=5)
    def on_payload(self, order: Order) -> None:
        self.done.put(order)

    @lymph.event('order.unchecked', check=False)
    def on_unchecked(self, order: Order) -> None:
        self.done.put(order)

    @serial_event('order.serial', partition_count=1, key=lambda interface, event: event['id'])
    def on_serial(self, order: Order) -> None:
        self.done.put(order)

    @lymph.task(retry=5)
    def pack(self, order: Order, count: int = 1) -> None:
        self.done.put((order, count))

    @lymph.rpc()
    def pack_soon(self, order):
        self.pack.apply(order=order)


@pytest.fixture
def service(world):
    return world.container((Stock, 'stock')).interfaces[0]


@pytest.fixture
def client(service, world):
    return world.container()


LINES = [{'article': 'sock', 'price': 2}]
ORDER = {'id': 1, 'lines': LINES, 'day': datetime.date(2016, 2, 19)}
MADE = Order(1, [Line('sock', 2.0)], Color.RED, datetime.date(2016, 2, 19))


@pytest.mark.parametrize('order', [ORDER, MADE, {**ORDER, 'day': '2016-02-19'}])
def test_method_gets_arguments_of_its_annotated_types_from_dicts_and_objects(
    client, service, order
):
    found = client.request('stock', 'stock.take', {'order': order})
    assert service.done.get_nowait() == (MADE, 1, None)
    assert found == {**ORDER, 'lines': [{'article': 'sock', 'price': 2.0}], 'color': 'red'}


def test_objects_of_all_kinds_can_be_sent_and_returned(client, service):
    arguments = {'plant': Plant('oak'), 'fish': Fish(2), 'customer': Customer(name='Ada')}
    found = client.request('stock', 'stock.kinds', {**arguments, 'more': 3})
    assert service.done.get_nowait() == (*arguments.values(), {'more': 3})
    assert found == [{'name': 'oak'}, {'fins': 2}, {'name': 'Ada', 'orders': []}, 'red']


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ({'order': {**ORDER, 'lines': [*LINES, {'article': 'a', 'price': 'x'}]}},
         'order.lines[1].price: expected a number, found text'),
        ({'order': {**ORDER, 'id': '1'}}, 'order.id: expected a whole number, found text'),
        ({'order': {**ORDER, 'color': 'blue'}}, "order.color: expected one of 'red', found 'blue'"),
        ({'order': {**ORDER, 'id': -1}}, 'order: an id is not negative'),
        ({'order': {**ORDER, 'id': 13}}, 'order: LookupError was raised while it was made'),
        ({'order': ORDER, 'count': True}, 'count: expected a whole number, found true or false'),
        ({'order': ORDER, 'note': 5}, 'note: expected text or None, found a whole number'),
        ({'count': 1}, "missing argument 'order'"),
        ({'order': ORDER, 'cuont': 1}, "unexpected argument 'cuont'"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_refused_with_their_path_and_nothing_runs(
    client, service, arguments, said
):
    with pytest.raises(Refused) as caught:
        client.request('stock', 'stock.take', arguments)
    assert said in str(caught.value)
    assert (caught.value.reason, caught.value.executed) == ('invalid_arguments', 'no')
    assert service.done.empty()


def test_unexpected_errors_of_a_class_are_logged_with_their_traceback(client, caplog):
    with caplog.at_level(logging.ERROR), pytest.raises(Refused):
        client.request('stock', 'stock.take', {'order': {'id': 13}})
    assert eventually(lambda: 'in __post_init__' in caplog.text)


def test_arguments_of_raw_methods_are_checked_too(client):
    assert client.request('stock', 'stock.raw', {'order': ORDER}) == 'Order'
    with pytest.raises(Refused, match=r'order\.id: '):
        client.request('stock', 'stock.raw', {'order': {'id': None}})


def test_unchecked_arguments_are_passed_on_unchanged(client):
    assert client.request('stock', 'stock.unchecked', {'count': '5', 'order': 6}) == ['5', 6]
    assert client.request('stock', 'stock.free', {'value': {'a': {1}}}) == {'a': {1}}


def test_results_are_sent_unchecked_even_if_they_do_not_fit_the_annotation(client):
    assert client.request('stock', 'stock.wrong') == {'not': 'an order'}
    with pytest.raises(Failed, match='SerializationError'):
        client.request('stock', 'stock.unsendable')


@pytest.mark.parametrize('payload', [ORDER, MADE])
def test_handler_gets_the_event_with_a_converted_body_or_the_payload(client, service, payload):
    client.emit_event('order.event', payload)
    assert service.done.get(timeout=5) == ('order.event', MADE)
    client.emit_event('order.payload', payload)
    assert service.done.get(timeout=5) == MADE
    client.emit_event('order.serial', payload)
    assert service.done.get(timeout=5) == MADE


def test_unchecked_handler_gets_the_event(client, service):
    client.emit_event('order.unchecked', {'id': 'x'})
    assert service.done.get(timeout=5).body == {'id': 'x'}


@pytest.mark.parametrize('kind', ['event', 'payload', 'serial'])
def test_event_that_does_not_fit_becomes_a_dead_letter_at_once(client, service, kind):
    client.emit_event(f'order.{kind}', {'id': 'one', 'lines': []})
    letters = client.events.dead_letters
    (letter,) = eventually(lambda: list(letters.scan()))
    assert 'id: expected a whole number, found text' in letter.error
    assert letter.attempts == 1
    assert service.done.empty()


def test_functions_subscribed_at_run_time_get_their_annotated_types(client, service):
    found: Queue[Any] = Queue()

    @service.subscribe('one')
    def alone(order: Order) -> None:
        found.put(order)

    @service.subscribe('two')
    def with_interface(interface: Stock, event: lymph.Event[Order]) -> None:
        found.put((interface, event.body))

    client.emit_event('one', ORDER)
    assert found.get(timeout=5) == MADE
    client.emit_event('two', MADE)
    assert found.get(timeout=5) == (service, MADE)
    with pytest.raises(ConfigurationError, match=r'^stock\.<lambda>|stock\.unknown: event: '):

        @service.subscribe('three')
        def unknown(event: Nothing) -> None: ...


def test_task_arguments_are_checked_when_queued_and_converted_when_run(client, service, world):
    worker = world.container((Stock, 'stock'), worker=True).interfaces[0]
    service.pack.apply(order=ORDER, count=2)
    assert worker.done.get(timeout=5) == (MADE, 2)
    client.request('stock', 'stock.pack_soon', {'order': ORDER})
    assert worker.done.get(timeout=5) == (MADE, 1)
    for wrong in ({'order': {'id': 'x'}}, {'order': Order(1, [Line(5)])}):  # type: ignore[arg-type]
        with pytest.raises(TypeError, match=r'^stock\.pack: order\.'):
            service.pack.apply(**wrong)
    client.emit_event('lymph.task.stock.pack', {'order': {'id': 'x'}})
    client.emit_event('lymph.task.stock.pack', {'ordre': ORDER})
    dead = client.events.dead_letters
    eventually(lambda: len(list(dead.scan())) == 2)
    assert {letter.attempts for letter in dead.scan()} == {1}
    assert worker.done.empty()


@pytest.mark.parametrize('kind', ['rpc', 'raw_rpc', 'event', 'task', 'serial_event'])
def test_unusable_annotation_is_rejected_when_the_interface_is_installed(world, kind):
    decorator = {
        'rpc': lymph.rpc(),
        'raw_rpc': lymph.raw_rpc(),
        'event': lymph.event('x'),
        'task': lymph.task(),
        'serial_event': serial_event('x'),
    }[kind]

    class Broken(lymph.Interface):
        if kind == 'raw_rpc':

            @decorator
            def it(self, channel, thing: Nothing): ...

        else:

            @decorator
            def it(self, thing: Nothing): ...

    with pytest.raises(ConfigurationError) as caught:
        world.container(Broken)
    said = "Broken.it: thing: the name 'Nothing' in the annotation Nothing is not defined"
    assert said in str(caught.value)


def test_annotations_of_an_inherited_method_are_resolved_in_its_own_class(world):
    class Base(lymph.Interface):
        @dataclasses.dataclass
        class Own:
            id: int

        @lymph.rpc()
        def it(self, own: Own) -> str:
            return type(own).__name__

    class Sub(Base):
        pass

    world.container((Sub, 'sub'))
    assert world.container().request('sub', 'sub.it', {'own': {'id': 1}}) == 'Own'
