"""Arguments from strangers, checked by annotations: refused in one line, or made and sent again."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from fuzz.findings import Finding, Memory, watched
from fuzz.generate import hostile_msgpack, value
from lymph.config.printable import quoted
from lymph.core._typing.converting import Arguments
from lymph.core._typing.misfits import Misfit
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['TypedArguments']

_LONGEST = 700  # characters of an error: its path and its reason are cut


class Color(Enum):
    """Values by which members are found."""

    RED = 'red'
    BLUE = 'blue'


class Place(NamedTuple):
    """A class that travels as a list."""

    row: int
    column: float = 0.0


@dataclass
class Order:
    """A class with all kinds of members."""

    id: UUID
    at: datetime | None = None
    color: Color = Color.RED
    places: list[Place] = field(default_factory=list)
    prices: dict[int, dict[str, float]] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    data: bytes = b''
    inner: list[Order] = field(default_factory=list)


_VALID = {
    'id': UUID(int=1),
    'at': datetime(2016, 2, 19),
    'color': 'blue',
    'places': [[1, 2.5], [2]],
    'prices': {1: {'a': 1.5, 'b': 2}, 2: {'c': 3}},
    'tags': {'x', 'y'},
    'data': b'x',
    'inner': [{'id': UUID(int=2), 'inner': [{'id': str(UUID(int=3))}]}],
}


class TypedArguments:
    """An order in which some parts are replaced by anything, or anything in place of it."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._convert = Arguments({'order': Order, 'more': dict[str, int | None]}, float)

    def attack(self, chance: Random) -> None:
        """Convert one input."""
        try:
            arguments = _arguments(chance)
            data = pack(arguments)
        except SerializationError:
            return
        arguments = unpack(data)
        with watched(data):
            try:
                made = self._convert(arguments)
            except Misfit as misfit:
                text = str(misfit)
                if not text.isprintable() or len(text) > _LONGEST or misfit.raised is not None:
                    raise Finding(f'an error of another kind: {quoted(text, 500)}') from misfit
                return
        if self._convert(unpack(pack(made))) != made and 'nan' not in repr(
            made
        ):  # equal to nothing
            raise Finding(f'sent again, it is another value: {quoted(data, 500)}')

    def close(self) -> None:
        """Compare the memory with the beginning."""
        self._memory.check()


def _arguments(chance: Random) -> dict[str, Any]:
    if chance.random() < 0.1:
        return {'order': unpack(hostile_msgpack(chance)), str(value(chance, 0)): value(chance)}
    order = copy.deepcopy(_VALID)
    for _ in range(chance.randrange(3)):
        _replace(order, chance)
    arguments: dict[str, Any] = {'order': order}
    if chance.random() < 0.3:
        arguments['more'] = {'a': 1, 'b': value(chance), 'c': None}
    return arguments


def _replace(container: Any, chance: Random) -> None:
    """Put anything in place of some part of a value."""
    keys = list(container) if isinstance(container, dict) else list(range(len(container)))
    if not keys:
        return
    key = chance.choice(keys)
    inner = container[key]
    if isinstance(inner, (dict, list)) and inner and chance.random() < 0.7:
        _replace(inner, chance)
    else:
        container[key] = value(chance)
