"""A service with parameters and results of many types, for clients that try all of them."""

from __future__ import annotations

import datetime
import decimal
import enum
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec

import lymph


class Size(enum.Enum):
    SMALL = 's'
    LARGE = 'l'


@dataclass
class Line:
    """One line of an order."""

    article: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    price: Annotated[float, msgspec.Meta(ge=0)]
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1
    size: Size | None = None


@dataclass
class Order:
    id: int
    lines: list[Line] = field(default_factory=list)
    day: datetime.date | None = None
    before: Order | None = None


class Cat(msgspec.Struct, tag=True, forbid_unknown_fields=True):
    lives: int


class Dog(msgspec.Struct, tag=True, rename='camel'):
    is_good: bool = True


class Options(TypedDict, total=False):
    colour: Literal['red', 'green', 3]
    weight: float


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Stocked(lymph.Interface):
    """Takes and returns values of many types."""

    @lymph.rpc(idempotent=True)
    def total(self, order: Order) -> float:
        """Add up the prices of an order.

        Earlier orders do not count.
        """
        return sum(min(line.price, 1e9) * line.count for line in order.lines)

    @lymph.rpc(raises=(LookupError,))
    def first(self, order: Order, default: Line | None = None) -> Line | None:
        return order.lines[0] if order.lines else default

    @lymph.rpc()
    def scalars(
        self,
        number: int,
        ratio: float,
        text: str,
        flag: bool,
        nothing: None = None,
        small: Annotated[int, msgspec.Meta(gt=-10, lt=10)] = 0,
        even: Annotated[int, msgspec.Meta(multiple_of=2)] = 0,
    ) -> list[int | float | str | bool | None]:
        return [number, ratio, text, flag, nothing, small, even]

    @lymph.rpc()
    def moments(
        self, moment: datetime.datetime, day: datetime.date, time: datetime.time
    ) -> tuple[datetime.datetime, datetime.date, datetime.time]:
        return moment, day, time

    @lymph.rpc()
    def naive(
        self, moment: Annotated[datetime.datetime, msgspec.Meta(tz=False)]
    ) -> Annotated[datetime.datetime, msgspec.Meta(tz=False)]:
        return moment

    @lymph.rpc()
    def odd(self, id: uuid.UUID, amount: decimal.Decimal, data: bytes) -> dict[str, Any]:
        return {'id': id, 'amount': amount, 'data': data}

    @lymph.rpc()
    def amount(self, amount: decimal.Decimal) -> decimal.Decimal:
        return amount

    @lymph.rpc()
    def data(self, data: Annotated[bytes, msgspec.Meta(max_length=8)]) -> bytes:
        return data

    @lymph.rpc()
    def collections(
        self,
        numbers: set[int],
        pair: tuple[int, str],
        texts: Annotated[list[str], msgspec.Meta(min_length=1, max_length=3)],
        point: Point,
    ) -> frozenset[int]:
        return frozenset(numbers)

    @lymph.rpc()
    def mappings(
        self, by_text: dict[str, int], by_number: dict[int, float], options: Options
    ) -> dict[int, float]:
        return by_number

    @lymph.rpc()
    def pets(self, pet: Cat | Dog, size: Size = Size.SMALL) -> Cat | Dog:
        return pet

    @lymph.rpc()
    def open(self, value, other=None, **more):
        return [value, other, more]

    @lymph.rpc()
    def counts(self, **counts: int) -> dict[str, int]:
        return counts

    @lymph.rpc()
    def nothing(self) -> None:
        """Take nothing and return nothing."""
