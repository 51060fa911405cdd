"""Proxies with a class that declares the methods of the service."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import pytest

import lymph
from lymph.core._declaring.calling import CallsServices
from lymph.core.call_options import DEFAULT_OPTIONS
from lymph.serializers.msgpack import unpack

T = TypeVar('T')


class Stock(lymph.Interface):
    @lymph.rpc()
    def take(self, article, count=1, *, customer=None):
        return f'{count} {article}'

    @lymph.raw_rpc()
    def watch(self, channel, article):
        channel.reply(article)

    @lymph.task()
    def sweep(self):
        pass

    def helper(self):
        pass


class Api(Protocol):
    currency: str

    def take(self, article: str, count: int = 1) -> str: ...

    def _private(self) -> None: ...


class Decorated(Protocol):
    @lymph.rpc()
    def take(self, article: str) -> str: ...

    def helper(self) -> None: ...


class Base:
    def take(self, article: str) -> str:
        raise NotImplementedError


class Plain(Base):
    def give(self, article: str) -> str:
        raise NotImplementedError


class Box(Protocol, Generic[T]):
    def take(self) -> T: ...


class Odd:
    @lymph.rpc()
    def with_options(self, timeout):
        pass


class Recorder:
    """A container that records the requests it gets."""

    def __init__(self):
        self.calls = []

    def request(self, address, subject, body=None, *, options=DEFAULT_OPTIONS):
        arguments = unpack(body) if isinstance(body, bytes) else body
        self.calls.append((address, subject, arguments, options.timeout))
        return 'result'

    def defer(self, call, **facts):
        return ('deferred', call())


class Caller:
    def __init__(self):
        self.container = Recorder()


@pytest.fixture
def recorder():
    return Recorder()


def declared(recorder, *args, **options):
    class Shop(Caller):
        stock = lymph.proxy('stock', *args, **options)

    shop = Shop()
    shop.container = recorder
    return shop.stock


@pytest.mark.parametrize(
    ('cls', 'methods'),
    [
        (Stock, ['take', 'watch']),
        (Api, ['take']),
        (Decorated, ['take']),
        (Plain, ['give', 'take']),
        (Box[str], ['take']),
    ],
)
def test_proxy_has_exactly_the_methods_that_its_class_declares(recorder, cls, methods):
    stock = declared(recorder, cls)
    names = [*methods, 'emit', 'request', 'container', 'helper', 'sweep', '_private', 'currency']
    assert [name for name in names if hasattr(stock, name)] == methods
    for name in methods:
        assert getattr(stock, name)(article='sock') == 'result'
    assert recorder.calls == [
        ('stock', f'stock.{name}', {'article': 'sock'}, None) for name in methods
    ]


def test_unknown_method_is_refused_with_the_closest_name(recorder):
    with pytest.raises(AttributeError) as caught:
        _ = declared(recorder, Stock).tkae
    assert str(caught.value) == "Stock declares no remote method 'tkae'; did you mean 'take'?"


def test_positional_arguments_are_named_after_the_parameters(recorder):
    stock = declared(recorder, Stock)
    stock.take('sock', 2)
    stock.take.defer('sock', count=3)
    stock.watch('sock')
    assert [call[2] for call in recorder.calls] == [
        {'article': 'sock', 'count': 2},
        {'article': 'sock', 'count': 3},
        {'article': 'sock'},
    ]


@pytest.mark.parametrize(
    ('args', 'arguments', 'said'),
    [
        (
            ('a', 1, 'c'),
            {},
            'expected at most 2 arguments without a name .article, count., found 3',
        ),
        (('a',), {'article': 'b'}, "stock.take: 'article' is given twice"),
    ],
)
def test_positional_arguments_that_do_not_fit_are_rejected(recorder, args, arguments, said):
    with pytest.raises(TypeError, match=said):
        declared(recorder, Stock).take(*args, **arguments)
    assert recorder.calls == []


def test_proxy_with_a_class_sends_calls_with_its_options(recorder):
    stock = declared(recorder, Stock, namespace='warehouse', timeout=2)
    stock.take()
    lymph.with_options(stock, timeout=3).take('sock')
    stock.with_options(timeout=4).take('sock')
    assert recorder.calls == [
        ('stock', 'warehouse.take', {}, 2.0),
        ('stock', 'warehouse.take', {'article': 'sock'}, 3.0),
        ('stock', 'warehouse.take', {'article': 'sock'}, 4.0),
    ]


def test_remote_method_may_be_called_with_options(recorder):
    odd = declared(recorder, Odd)
    odd.with_options(timeout=1)
    lymph.with_options(odd, timeout=3).with_options(2)
    assert [call[1:] for call in recorder.calls] == [
        ('stock.with_options', {'timeout': 1}, None),
        ('stock.with_options', {'timeout': 2}, 3.0),
    ]


def test_functions_for_proxies_accept_proxies_without_a_class(recorder):
    echo = lymph.Proxy(recorder, 'echo')
    assert lymph.defer(echo.upper, text='x') == ('deferred', 'result')
    lymph.with_options(echo, timeout=3).upper(text='y')
    assert recorder.calls == [
        ('echo', 'echo.upper', {'text': 'x'}, None),
        ('echo', 'echo.upper', {'text': 'y'}, 3.0),
    ]


@pytest.mark.parametrize(
    ('function', 'said'),
    [
        (lymph.defer, 'expected a method of a proxy to call, found <built-in function print>'),
        (lymph.with_options, 'expected a proxy to change the options of, found <built-in'),
    ],
)
def test_functions_for_proxies_reject_other_objects(function: Callable[..., Any], said: str):
    with pytest.raises(TypeError, match=said):
        function(print)


def test_copy_of_a_proxy_with_a_class_can_be_called(recorder):
    copied = copy.copy(declared(recorder, Stock))
    assert copied.take('sock') == 'result'
    assert not hasattr(copied, 'helper')


class Nothing(lymph.Interface):
    @lymph.task()
    def sweep(self):
        pass


class Waiting(Protocol):
    async def take(self) -> None: ...


class Unnamed(Protocol):
    def take(self, article: str, /) -> None: ...


@pytest.mark.parametrize(
    ('args', 'options', 'said'),
    [
        ((Nothing,), {}, 'a class that declares methods with lymph.rpc, found none in Nothing'),
        ((int,), {}, 'a class that declares methods with lymph.rpc, found none in int'),
        ((Waiting,), {}, 'Waiting.take: expected a method to declare as rpc, found an async func'),
        ((Unnamed,), {}, "Unnamed.take: .* but 'article' is positional-only"),
        ((Stock.take,), {}, 'a proxy for stock: expected the namespace, .* found <function Stock'),
        (('stock',), {'namespace': 'other'}, 'stock: expected one namespace, found two'),
    ],
)
def test_invalid_class_is_rejected_where_the_proxy_is_declared(args, options, said):
    with pytest.raises(TypeError, match=said):
        lymph.proxy('stock', *args, **options)


def test_proxy_for_an_endpoint_needs_a_namespace_although_it_has_a_class(recorder):
    with pytest.raises(ValueError, match='a proxy for tcp://there:1 needs a namespace'):
        lymph.proxy('tcp://there:1', Stock)


@dataclass
class Order:
    article: str
    count: int


class Orders(Protocol):
    def make(self, article: str, count: Any) -> Order: ...

    def all(self) -> list[Order]: ...

    def none(self) -> None: ...

    def unannotated(self): ...

    def anything(self) -> Any: ...


class Boxes(Protocol, Generic[T]):
    def all(self) -> list[T]: ...

    def make(self, article: str, count: int) -> T: ...


class Unchecked(Protocol):
    @lymph.rpc(check=False)
    def make(self, article: str, count: int) -> NotDefined: ...  # noqa: F821

    @lymph.raw_rpc()
    def all(self, channel: lymph.ReplyChannel) -> None: ...


class Unresolved(Protocol):
    def make(self) -> NotDefined: ...  # noqa: F821


class Unreadable(Protocol):
    def make(self) -> Recorder: ...


class OrderService(lymph.Interface):
    @lymph.rpc()
    def make(self, article, count):
        return {'article': article, 'count': count}

    @lymph.rpc()
    def all(self):
        return [{'article': 'sock', 'count': 1}]

    @lymph.rpc()
    def none(self):
        return None

    @lymph.rpc()
    def unannotated(self):
        return {'article': 'sock'}

    anything = lymph.rpc()(lambda self: {'article': 'sock'})


@pytest.fixture
def orders(world):
    world.container((OrderService, 'orders'))
    container = world.container()

    def orders(cls):
        class Program(CallsServices):
            pass

        program = Program()
        program.container = container
        return program.proxy('orders', cls, timeout=5)

    return orders


def test_results_are_converted_to_their_annotated_types(orders):
    proxy = orders(Orders)
    assert proxy.make('sock', 2) == Order('sock', 2)
    assert proxy.make.defer('sock', 3).get(timeout=5) == Order('sock', 3)
    assert lymph.with_options(proxy, timeout=3).all() == [Order('sock', 1)]
    assert proxy.none() is None
    assert proxy.unannotated() == proxy.anything() == {'article': 'sock'}


def test_type_variables_are_replaced_by_the_type_arguments_of_the_class(orders):
    assert orders(Boxes[Order]).all() == [Order('sock', 1)]
    assert orders(Boxes[Order]).make('sock', 2) == Order('sock', 2)
    assert orders(Boxes).all() == [{'article': 'sock', 'count': 1}]


def test_results_of_unchecked_and_raw_methods_stay_as_they_arrive(orders):
    assert orders(Unchecked).make('sock', 'x') == {'article': 'sock', 'count': 'x'}
    assert orders(Unchecked).all() == [{'article': 'sock', 'count': 1}]


@pytest.mark.parametrize('call', [lambda m: m('a', 'x'), lambda m: m.defer('a', 'x').get(5)])
def test_result_that_does_not_fit_fails_the_call_with_the_path(orders, call):
    with pytest.raises(lymph.Failed) as caught:
        call(orders(Orders).make)
    assert str(caught.value) == (
        'orders.make: the result does not fit its annotation: '
        'count: expected a whole number, found text'
    )
    assert (caught.value.executed, caught.value.subject) == ('yes', 'orders.make')


@pytest.mark.parametrize(
    ('cls', 'said'),
    [
        (Unresolved, "Unresolved.make: result: the name 'NotDefined' in the annotation NotDefined"),
        (Unreadable, 'Unreadable.make: result: .*Recorder is not a type that can be checked'),
    ],
)
def test_unusable_annotation_is_rejected_before_any_call(world, cls, said):
    class Asks(lymph.Interface):
        orders = lymph.proxy('orders', cls)

    with pytest.raises(lymph.ConfigurationError, match=said):
        world.container((Asks, 'asks'))
    with pytest.raises(lymph.ConfigurationError, match=said):
        _ = declared(Recorder(), cls).make


class Shop(lymph.Interface):
    stock = lymph.proxy('stock', Stock, timeout=5)

    @lymph.rpc()
    def buy(self, article):
        return self.stock.take(article)


def test_interfaces_and_clients_call_a_service_through_typed_proxies(world):
    world.container((Stock, 'stock'))
    (shop,) = world.container((Shop, 'shop')).interfaces
    assert shop.stock.take('sock', 2) == '2 sock'
    assert shop.proxy('stock', Stock, timeout=5).watch(article='sock') == 'sock'
    assert shop.proxy('shop', Shop, timeout=5).buy.defer('sock').get(timeout=5) == '1 sock'
