"""msgpack and JSON: what is read can be written, what is written can be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from random import Random
from typing import Any

from fuzz.findings import Finding, Memory, watched
from fuzz.generate import hostile_msgpack, hostile_text, mutated, value
from lymph.config.printable import quoted
from lymph.exceptions import SerializationError
from lymph.serializers.json import dumps, loads, plain
from lymph.serializers.msgpack import pack, unpack

__all__ = ['Json', 'Msgpack', 'Values']


class Msgpack:
    """Bytes from strangers."""

    def __init__(self) -> None:
        self._memory = Memory()

    def attack(self, chance: Random) -> None:
        """Read one input; what it holds has to be written and read again as the same."""
        data = hostile_msgpack(chance)
        with watched(data):
            try:
                found = unpack(data)
            except SerializationError:
                return
        if not alike(unpack(pack(found)), found):
            raise Finding(f'read and written again, it is another value: {quoted(data, 500)}')

    def close(self) -> None:
        """Compare the memory with the beginning."""
        self._memory.check()


class Json:
    """Text from strangers."""

    def __init__(self) -> None:
        self._memory = Memory()

    def attack(self, chance: Random) -> None:
        """Read one input; what it holds has to be written and read again as the same."""
        data = chance.choice([_marked, _deep, _broken])(chance)
        with watched(data):
            try:
                found = loads(data)
            except SerializationError:
                return
        try:
            again = loads(dumps(found))
        except SerializationError as error:
            raise Finding(f'read, but not written: {quoted(data, 500)}: {error}') from error
        if not alike(again, found):
            raise Finding(f'read and written again, it is another value: {quoted(data, 500)}')

    def close(self) -> None:
        """Compare the memory with the beginning."""
        self._memory.check()


class Values:
    """Values of a handler: they travel and arrive, or are refused where they are sent."""

    def attack(self, chance: Random) -> None:
        """Write one value in each form and read it."""
        made = value(chance, chance.choice([1, 3, 5, 40]))
        forms: list[tuple[Callable[[Any], Any], Callable[[Any], Any]]]
        forms = [(pack, unpack), (dumps, loads)]
        for write, read in forms:
            try:
                written = write(made)
            except SerializationError as error:
                if len(str(error)) > 2000 or not str(error).isprintable():
                    raise Finding(
                        f'an error not fit to be shown: {quoted(str(error), 500)}'
                    ) from error
                continue
            try:
                found = read(written)
            except SerializationError as error:
                raise Finding(f'written, but not read: {quoted(made, 500)}: {error}') from error
            if not alike(read(write(found)), found):
                raise Finding(f'arrives as two different values: {quoted(made, 500)}')
        with suppress(SerializationError):
            json.dumps(plain(made))

    def close(self) -> None:
        """Nothing is open."""


def _marked(chance: Random) -> bytes:
    mark = chance.choice(['$set', '$datetime', '$uuid', '$decimal', '$bytes', '$object', '$time'])
    inner: Any = chance.choice([5, None, [], {}, [[1], {'a': 1}], hostile_text(chance), '9' * 5000])
    return json.dumps({mark: inner}).encode()


def _deep(chance: Random) -> bytes:
    opening, closing = chance.choice([('[', ']'), ('{"a":', '}'), ('{"$set":[', ']}')])
    depth = chance.choice([10, 31, 32, 33, 100, 1000, 100_000])
    return (opening * depth + '1' + closing * depth).encode()


def _broken(chance: Random) -> bytes:
    return mutated(chance, json.dumps({'a': [1, 2.5, None, {'$set': [1, 'x']}], 'é': ''}).encode())


def alike(one: Any, other: Any) -> bool:
    """Tell whether two values are equal; values that are no number equal themselves."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        odd = {key for key in one if 'nan' in repr(key).lower()}  # also inside of tuples
        return len(one) == len(other) and all(
            key in other and alike(one[key], other[key]) for key in one if key not in odd
        )
    if isinstance(one, (set, frozenset)):
        return len(one) == len(other)
    if isinstance(one, Decimal):  # signalling NaN cannot be compared
        return str(one) == str(other)
    return bool(one == other) or one != one
