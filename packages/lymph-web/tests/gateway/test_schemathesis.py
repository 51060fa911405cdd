"""schemathesis, an independent client, tries a gateway over a real socket by its own document.

It sends what the document admits, which has to be accepted, and what it does not admit, which has
to be refused, and compares all answers with the document.
"""

from __future__ import annotations

import datetime
import decimal
import enum
import json
import pathlib
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, NamedTuple, TypedDict

import msgspec
import pydantic
import pytest
from gevent import subprocess

import lymph
from lymph.web.gateway import Gateway

TOOL = pathlib.Path(sys.executable).with_name('schemathesis')


class Size(enum.Enum):
    SMALL = 's'
    LARGE = 'l'


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 9


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


class Customer(pydantic.BaseModel):
    name: str = pydantic.Field(min_length=2)
    age: int = pydantic.Field(0, ge=0)
    friends: list[Customer] = []
    tags: dict[str, bool] | None = None


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
        part: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5,
        word: Annotated[str, msgspec.Meta(pattern='^[a-z]{2,5}$')] = 'word',
    ) -> list[int | float | str | bool | None]:
        return [number, ratio, text, flag, nothing, small, even, part, word]

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
        rest: Sequence[bool] = (),
    ) -> frozenset[int]:
        return frozenset(numbers)

    @lymph.rpc()
    def points(self, points: list[Point]) -> list[Point]:
        return points

    @lymph.rpc()
    def mappings(
        self,
        by_text: dict[str, int],
        by_number: dict[int, float],
        options: Options,
        by_day: Mapping[datetime.date, Level] | None = None,
        by_size: dict[Size, int] | None = None,
    ) -> dict[int, float]:
        return by_number

    @lymph.rpc()
    def pets(self, pet: Cat | Dog, size: Size = Size.SMALL) -> Cat | Dog:
        return pet

    @lymph.rpc()
    def customer(self, customer: Customer, level: Level = Level.LOW) -> Customer:
        return customer

    @lymph.rpc()
    def open(self, value, other=None, **more):
        return [value, other, more]

    @lymph.rpc()
    def counts(self, **counts: int) -> dict[str, int]:
        return counts

    @lymph.rpc()
    def nothing(self) -> None:
        """Take nothing and return nothing."""


#: checks the document that it gets, and each schema in it
CHECK = """
import json, sys
import jsonschema_rs
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
document = json.load(sys.stdin)
OPENAPI_31_VALIDATOR.validate(document)
for name, schema in document['components']['schemas'].items():
    jsonschema_rs.meta.validate({'$schema': document['jsonSchemaDialect'], **schema})
    jsonschema_rs.Draft202012Validator({'components': document['components'], **schema})
print(len(document['paths']))
"""


@pytest.fixture
def gateway(world):
    return world.start(
        (Stocked, 'stocked', '1.0.0'), (Gateway, 'api', None, {'allow': ['stocked.*']})
    )[1]


@pytest.fixture
def run(tmp_path):
    """Return a function that runs a program, in a process of its own: it does not use gevent."""

    def run(*command: str, given: bytes = b'') -> Any:
        options = {'stdout': subprocess.PIPE, 'stderr': subprocess.STDOUT, 'timeout': 300}
        return subprocess.run(command, input=given, check=False, cwd=tmp_path, **options)

    return run


def test_document_is_valid_by_the_schema_of_openapi(gateway, run):
    document = json.dumps(gateway.document()).encode()
    checked = run(sys.executable, '-c', CHECK, given=document)
    assert checked.stdout.strip() == str(len(Stocked.methods)).encode()


def test_schemathesis_finds_nothing(gateway, run):
    found = run(
        str(TOOL),
        'run',
        f'http://127.0.0.1:{gateway.http_port}/api/openapi.json',
        '--checks=all',
        '--phases=coverage,fuzzing',
        '--max-examples=3',
        '--generation-deterministic',
        '--no-color',
    )
    assert found.returncode == 0, found.stdout[-8000:].decode()
    assert f'Tested: {len(Stocked.methods)}' in found.stdout.decode()
