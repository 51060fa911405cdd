"""A service and how its author uses it, checked by mypy and pyright."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ParamSpec, Protocol, TypeVar

from typing_extensions import assert_type

import lymph
from lymph.patterns.serial_events import serial_event

P = ParamSpec('P')
R = TypeVar('R')


@dataclass
class Order:
    article: str
    count: int


def logged(func: Callable[P, R]) -> Callable[P, R]:
    """A decorator as authors write them."""
    return func


class Stock(lymph.Interface):
    @lymph.rpc()
    def take(self, article: str, count: int = 1) -> Order:
        return Order(article, count)

    @lymph.rpc(raises=KeyError, idempotent=True)
    def find(self, *, article: str) -> list[Order]:
        return [self.take(article), self.take(article=article, count=2)]

    @lymph.rpc()
    def note(self, text: str, **details: str) -> None: ...

    @lymph.raw_rpc()
    def watch(self, channel: lymph.ReplyChannel, article: str) -> None:
        channel.reply(article)

    @lymph.rpc()
    @logged
    def below(self, count: int) -> int:
        return count

    @logged
    @lymph.rpc()
    def above(self, count: int) -> int:
        return count

    @lymph.task(retry=3)
    def sweep(self, shelf: int, deep: bool = False) -> int:
        return shelf

    @lymph.event('ordered', retry=1)
    def on_ordered(self, event: lymph.Event) -> None:
        self.sweep.apply(shelf=1)
        self.sweep.apply(1, deep=True)
        assert_type(self.sweep(1), int)
        assert_type(self.sweep.apply(shelf=1), None)
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.sweep.apply(shlef=1)
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.sweep.apply(shelf='x')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.sweep.apply()
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.sweep('x')

    @serial_event('ordered', key=lambda self, event: 'key')
    def in_order(self, event: lymph.Event) -> None: ...

    @lymph.event('counted')
    def on_counted(self, order: Order) -> None: ...

    @lymph.event('moved', check=False)
    def on_moved(self, event: lymph.Event[Order]) -> None:
        assert_type(event.body, Order)
        # error: mypy[attr-defined] pyright[reportAttributeAccessIssue]
        _ = event.body.cuont

    def unit(self, event: lymph.Event, order: Order, channel: lymph.ReplyChannel) -> None:
        assert_type(self.take('x'), Order)
        assert_type(self.below(1), int)
        assert_type(self.above(1), int)
        self.watch(channel, 'x')
        self.watch(channel, article='x')
        self.on_ordered(event)
        self.in_order(event)
        self.on_counted(order)
        Stock.take(self, article='x')
        self.note('x', colour='red')
        # error: mypy[call-arg] pyright[reportCallIssue]
        self.take(artcle='x')
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.below('x')
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.above('x')
        # error: mypy[call-overload] pyright[reportArgumentType]
        self.watch(channel)
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.on_ordered(order)
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.in_order(order)
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.on_counted(event)
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.note('x', colour=1)

    def runtime(self) -> None:
        @self.subscribe('sold', once=True)
        def on_sold(event: lymph.Event) -> int:
            return 1

        @self.subscribe('sold')
        def on_both(interface: Stock, event: lymph.Event) -> None: ...

        @self.subscribe('sold', check=False)
        def on_payload(order: Order) -> None: ...

        @self.subscribe('sold')
        def on_typed(event: lymph.Event[Order]) -> None: ...

        on_payload(Order('x', 1))
        # error: mypy[arg-type] pyright[reportArgumentType]
        on_payload(lymph.Event('sold'))
        # error: mypy[arg-type] pyright[reportArgumentType]
        on_typed(Order('x', 1))

        # error: mypy[type-var] pyright[reportArgumentType]
        @self.subscribe('sold')
        def on_nothing() -> None: ...

        assert_type(on_sold(lymph.Event('sold')), int)
        # error: mypy[call-arg] pyright[reportCallIssue]
        on_both(self)
        assert_type(self.get_next_event('sold').source, 'str | None')
        assert_type(self.get_next_event('sold').body, dict[str, Any])
        self.emit('sold', {'article': 'x'}, delay=1)
        self.emit('sold', Order('x', 1))
        # error: mypy[arg-type] pyright[reportArgumentType]
        self.emit('sold', [1])


class BetterStock(Stock):
    @lymph.rpc()
    def take(self, article: str, count: int = 1, customer: str = '') -> Order:
        return super().take(article, count)

    @lymph.task()
    def sweep(self, shelf: int, deep: bool = False, wet: bool = False) -> int:
        return super().sweep(shelf)


class WorseStock(Stock):
    @lymph.rpc()
    # error: mypy[override] pyright[reportIncompatibleVariableOverride]
    def take(self, count: int) -> Order:
        return Order('x', count)

    # without the decorator it is no longer declared
    # error: mypy[override] pyright[reportIncompatibleVariableOverride]
    def find(self, *, article: str) -> list[Order]:
        return []


class WrongDeclarations(lymph.Interface):
    # error: mypy[arg-type] pyright[reportArgumentType]
    @lymph.rpc
    # error: mypy[misc]
    def bare(self) -> None: ...

    # error: mypy[arg-type] pyright[reportArgumentType]
    @lymph.task()
    def selfless() -> None: ...

    # error: mypy[type-var] pyright[reportArgumentType]
    @lymph.event('ordered')
    def eventless(self) -> None: ...

    @lymph.event()
    def without_types(self, event: lymph.Event) -> None: ...

    # error: mypy[call-arg] pyright[reportCallIssue]
    @lymph.event('ordered', retries=1)
    def misspelt(self, event: lymph.Event) -> None: ...


class TakesOrders(Protocol):
    """A Protocol that knows nothing of lymph."""

    def take(self, article: str, count: int = 1) -> Order: ...


class StockApi(Protocol):
    """A Protocol whose methods are declared, so they have `defer` and can be implemented."""

    @lymph.rpc()
    def take(self, article: str, count: int = 1) -> Order: ...


class DeclaredStock(lymph.Interface, StockApi):
    @lymph.rpc()
    def take(self, article: str, count: int = 1) -> Order:
        return Order(article, count)


def uses_protocols(plain: TakesOrders, declared: StockApi) -> Any:
    assert_type(plain.take('x'), Order)
    return declared.take.defer('x')


def passes(stock: Stock, better: BetterStock, declared: DeclaredStock) -> None:
    uses_protocols(stock, stock)
    uses_protocols(better, better)
    uses_protocols(declared, declared)
    # error: mypy[arg-type] pyright[reportArgumentType]
    uses_protocols(3, declared)
