"""Random values and broken bytes; the same ones for the same source of chance."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import msgpack

from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack

__all__ = ['hostile_msgpack', 'hostile_text', 'mutated', 'value']

_BYTES = [b'\0', b'\xff', b'\r', b'\n', b'\r\n', b'\x1b[2J', b'\x7f', b'\x80', b'\xc1', b'%0d%0a']
_SIZES = [0, 1, 2, 16, 255, 256, 257, 1000, 4096, 65535, 65536, 200_000]
_LONGEST = 1_000_000  # bytes of one input
_SAME_HASH = 2**61 - 1  # hash(n) == hash(n + this)


def mutated(chance: Random, data: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Return `data` changed in up to five places; `others` may lend it parts."""
    for _ in range(chance.randint(1, 5)):
        data = chance.choice(_MUTATIONS)(chance, data, others)[:_LONGEST]
    return data


def _flip(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


def _insert(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    part = chance.choice([*_BYTES, chance.randbytes(chance.randint(1, 16))])
    return data[:at] + part + data[at:]


def _remove(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + data[at + chance.randint(1, 16) :]


def _cut(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    return data[: chance.randint(0, len(data))]


def _repeat(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    part = data[at : at + chance.randint(1, 64)] or b'x'
    return data[:at] + part * (chance.choice(_SIZES) // len(part) + 1) + data[at:]


def _splice(chance: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    other = chance.choice(others) if others else data[::-1]
    return data[: chance.randint(0, len(data))] + other[chance.randint(0, len(other)) :]


_MUTATIONS: list[Callable[[Random, bytes, Sequence[bytes]], bytes]] = [
    _flip,
    _flip,
    _insert,
    _remove,
    _cut,
    _repeat,
    _splice,
]


def hostile_text(chance: Random) -> str:
    """Return a text as nobody expects it: empty, long, or of characters that drive terminals."""
    part = chance.choice(['', 'a', 'é', '\x00', '\n', '\x1b]0;x\x07', '\u202e', '\udcff', '.'])
    return part * chance.choice([1, 1, 2, 129, 300, 20_000])


def value(chance: Random, depth: int = 4) -> Any:
    """Return a value of any kind that somebody might try to send."""
    if depth and chance.random() < 0.4:
        return chance.choice(_CONTAINERS)(chance, depth - 1)
    return chance.choice(_SCALARS)(chance)


class _Dumps:
    def __init__(self, dumped: Any) -> None:
        self._dumped = dumped

    def _lymph_dump_(self) -> Any:
        return self._dumped


class _DumpingDict(dict):  # type: ignore[type-arg]
    def _lymph_dump_(self) -> Any:
        return list(self)


_SCALARS: list[Callable[[Random], Any]] = [
    lambda chance: None,
    lambda chance: chance.random() < 0.5,
    lambda chance: chance.choice([0, -1, 2**31, 2**63, 2**64 - 1, 2**64, -(2**63), 10**30]),
    lambda chance: chance.choice([0.0, -0.0, 1e308, float('nan'), float('inf')]),
    hostile_text,
    lambda chance: chance.randbytes(chance.choice([0, 1, 40])),
    lambda chance: bytearray(3),
    lambda chance: datetime.datetime(2026, 11, 1, 2, 30, fold=chance.randint(0, 1)),
    lambda chance: datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc),
    lambda chance: datetime.date(1, 1, 1),
    lambda chance: datetime.time(2, 30, fold=chance.randint(0, 1)),
    lambda chance: UUID(int=chance.getrandbits(128)),
    lambda chance: Decimal(chance.choice(['0', 'NaN', '-Infinity', '1E+999999', '0.10'])),
    lambda chance: msgpack.ExtType(chance.randint(0, 127), chance.randbytes(4)),
    lambda chance: object(),
]


def _key(chance: Random, depth: int) -> Any:
    made = value(chance, min(depth, 1))
    try:
        hash(made)
    except TypeError:
        return 'key'
    return made


_CONTAINERS: list[Callable[[Random, int], Any]] = [
    lambda chance, depth: [value(chance, depth) for _ in range(chance.randint(0, 4))],
    lambda chance, depth: tuple(value(chance, depth) for _ in range(chance.randint(0, 4))),
    lambda chance, depth: {
        _key(chance, depth): value(chance, depth) for _ in range(chance.randint(0, 4))
    },
    lambda chance, depth: {_key(chance, depth) for _ in range(chance.randint(0, 4))},
    lambda chance, depth: frozenset(_key(chance, depth) for _ in range(chance.randint(0, 3))),
    lambda chance, depth: _Dumps(value(chance, depth)),
    lambda chance, depth: _DumpingDict({'a': value(chance, depth)}),
]


def hostile_msgpack(chance: Random) -> bytes:
    """Return bytes that are msgpack, or nearly so, and worse than they look."""
    made = chance.choice(_HOSTILE)(chance)
    return mutated(chance, made) if chance.random() < 0.4 else made


def _packed(chance: Random) -> bytes:
    for _ in range(20):
        try:
            return pack(value(chance))
        except SerializationError:
            continue
    return pack({})


def _nested(chance: Random) -> bytes:
    """Containers inside each other, of one kind or of several."""
    kinds = chance.choice([[_in_set], [_in_array], [_in_map], [_as_key], list(_WRAPPERS)])
    inner = b'\xc0'
    for _ in range(chance.choice([3, 30, 31, 32, 33, 100, 600])):
        inner = chance.choice(kinds)(inner)
        if len(inner) > _LONGEST:
            break
    return inner


def _in_set(inner: bytes) -> bytes:
    return b'\xc9' + (len(inner) + 1).to_bytes(4, 'big') + b'\x01\x91' + inner


def _in_array(inner: bytes) -> bytes:
    return b'\x91' + inner


def _in_map(inner: bytes) -> bytes:
    return b'\x81\xa1a' + inner


def _as_key(inner: bytes) -> bytes:
    return b'\x81' + inner + b'\xc0'


_WRAPPERS = (_in_set, _in_array, _in_map, _as_key)


def _colliding(chance: Random) -> bytes:
    """Members or keys of one hash."""
    count = chance.choice([10, 100, 1000, 10_000])
    if chance.random() < 0.5:
        members = b''.join(b'\xcf' + (n * _SAME_HASH % 2**64).to_bytes(8, 'big') for n in range(7))
        members *= count // 7 + 1
        count = (count // 7 + 1) * 7
    else:
        members = b''.join(b'\xd8\x05' + (n * _SAME_HASH).to_bytes(16, 'big') for n in range(count))
    if chance.random() < 0.5:
        array = b'\xdd' + count.to_bytes(4, 'big') + members
        return b'\xc9' + len(array).to_bytes(4, 'big') + b'\x01' + array
    size = len(members) // count
    keys = (members[at : at + size] for at in range(0, len(members), size))
    return b'\xdf' + count.to_bytes(4, 'big') + b''.join(key + b'\xc0' for key in keys)


def _many(chance: Random) -> bytes:
    """Very many very small values."""
    count = chance.choice([1000, 100_000, 900_000])
    return b'\xdd' + count.to_bytes(4, 'big') + chance.choice([b'\x80', b'\x90', b'\xc0']) * count


def _announced(chance: Random) -> bytes:
    """A container or text that is much longer than what follows."""
    kind = chance.choice([b'\xdd', b'\xdf', b'\xdb', b'\xc6', b'\xc9'])
    return kind + b'\xff\xff\xff\xf0\x01'


def _extension(chance: Random) -> bytes:
    payload = chance.choice([b'', b'\xff', b'NaN', b'1E+999999999', b'9' * 5000, b'2026-13-01'])
    return b'\xc8' + len(payload).to_bytes(2, 'big') + bytes([chance.randint(0, 255)]) + payload


_HOSTILE: list[Callable[[Random], bytes]] = [
    _packed,
    _packed,
    _nested,
    _colliding,
    _many,
    _announced,
    _extension,
    lambda chance: chance.randbytes(chance.choice([0, 1, 10, 100])),
]
