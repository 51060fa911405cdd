"""The arguments that are measured: each with a type and what has arrived for it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from lymph.core._declaring.signatures import Signature
from lymph.core._typing.plans import CallPlan, plan_of

__all__ = ['SUBJECTS', 'Subject']


@dataclass
class Order:
    """Ten fields, as many services have them."""

    id: int
    customer: str
    total: float
    paid: bool
    key: UUID
    at: datetime.datetime
    note: str | None = None
    count: int = 1
    currency: str = 'EUR'
    tags: tuple[str, ...] = ()


@dataclass
class Basket:
    """A list of orders."""

    orders: list[Order]


class _Methods:
    def text(self, text: str) -> None: ...
    def numbers(self, a: int, b: float, c: bool) -> None: ...
    def order(self, order: Order) -> None: ...
    def basket(self, basket: Basket) -> None: ...


_ORDER = {
    'id': 1,
    'customer': 'Ada',
    'total': 12.5,
    'paid': True,
    'key': UUID(int=1),
    'at': datetime.datetime(2016, 2, 19, 12, 30),
    'note': None,
    'count': 3,
    'currency': 'EUR',
    'tags': ['a', 'b'],
}


class Subject(NamedTuple):
    """A method with the arguments of a call."""

    name: str
    checked: Callable[[dict[str, Any]], Any]  # by the names alone: also without annotations
    converted: Callable[[dict[str, Any]], Any]
    by_hand: Callable[[dict[str, Any]], Any]  # the same objects, without a check
    arguments: dict[str, Any]


def _subject(
    name: str, method: str, by_hand: Callable[[dict[str, Any]], Any], arguments: dict[str, Any]
) -> Subject:
    func = vars(_Methods)[method]
    plan = plan_of(method, func)
    assert isinstance(plan, CallPlan)
    return Subject(name, Signature(func).problem, plan.convert, by_hand, arguments)


def _order(values: dict[str, Any]) -> Order:
    return Order(**{**values, 'tags': tuple(values['tags'])})


SUBJECTS = [
    _subject('a text', 'text', dict, {'text': 'hello'}),
    _subject('three numbers', 'numbers', dict, {'a': 1, 'b': 1.5, 'c': True}),
    _subject('a dataclass of ten fields', 'order', lambda a: _order(a['order']), {'order': _ORDER}),
    _subject(
        'a dataclass with a list of 100 of them',
        'basket',
        lambda a: Basket([_order(each) for each in a['basket']['orders']]),
        {'basket': {'orders': [_ORDER] * 100}},
    ),
]
