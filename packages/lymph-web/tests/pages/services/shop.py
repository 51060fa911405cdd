"""Services for the tests of the page and for the pictures of the guide."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

import msgspec

import lymph

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=2</script>{{7*7}}'


class Colour(enum.Enum):
    RED = 'red'
    BLUE = 'blue'


@dataclass
class Line:
    """An article, and how many of it."""

    article: str
    price: float
    count: Annotated[int, msgspec.Meta(ge=1)] = 1


@dataclass
class Order:
    """What a customer orders."""

    id: int
    lines: list[Line] = field(default_factory=list)
    day: date | None = None
    colour: Colour = Colour.RED
    replaces: Order | None = None


class Shop(lymph.Interface):
    """Takes orders and adds up prices."""

    def on_start(self) -> None:
        self.orders = 0

    @lymph.rpc(idempotent=True)
    def total(self, order: Order, discount: float = 0, gross: bool = True) -> float:
        """Return the total of an order, in euros.

        The tax is left out unless `gross` is true:

            total = sum(line.price * line.count)
        """
        total = sum(line.price * line.count for line in order.lines) * (1 - discount)
        return round(total if gross else total / 1.19, 2)

    @lymph.rpc(raises=ValueError)
    def order(self, article: str, count: int = 1, note: str = '-') -> dict[str, int]:
        """Order an article; return the number of the order.

        Raises ValueError for an article that is sold out.
        """
        if article == 'glove':
            raise ValueError('gloves are sold out')
        self.orders += 1
        self.emit('shop.ordered', {'article': article, 'count': count, 'order': self.orders})
        return {'order': self.orders}

    @lymph.rpc(idempotent=True)
    def find(self, words: list[str], most: int = 10) -> list[Line]:
        """Find articles by words."""
        found = [Line(word, 2.5) for word in words]
        return found[:most]


class Echo(lymph.Interface):
    """Says again what it hears."""

    @lymph.rpc(idempotent=True)
    def echo(self, value=None):
        """Return the value."""
        return value

    @lymph.rpc(idempotent=True)
    def upper(self, text: str) -> str:
        """Return a text in capital letters."""
        return text.upper()

    @lymph.rpc(idempotent=True)
    def slow(self, seconds: float) -> str:
        """Return after some seconds."""
        time.sleep(seconds)
        return 'done'

    @lymph.rpc()
    def nothing(self) -> None:
        pass


class Stock(lymph.Interface):
    """Counts what is left."""

    @lymph.rpc(idempotent=True)
    def count(self, article: str) -> int:
        """Return how many of an article are left."""
        return len(article)


class Hostile(lymph.Interface):
    __doc__ = HOSTILE

    @lymph.rpc()
    def attack(self, text: str = HOSTILE) -> dict[str, str]:
        return {HOSTILE: text}

    attack.__doc__ = HOSTILE
