"""From values to msgpack: what is sent can be read, and what cannot be read is not sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from msgpack import ExtType, Packer, Timestamp

from lymph.core.limits import DEPTH, ITEMS
from lymph.serializers._codec.bounds import check_value, is_flat
from lymph.serializers._codec.counting import check_count
from lymph.serializers._codec.excess import too_deep
from lymph.serializers._codec.extensions import ENCODERS, SET, check_foreign
from lymph.serializers._codec.kinds import KNOWN, Dumps, as_known
from lymph.serializers._codec.members import check_hashes
from lymph.serializers._codec.nesting import EXACT, MARKS, check_nesting
from lymph.serializers._codec.unpacking import SMALL, verify

__all__ = ['BIG', 'check_packed', 'idle', 'new_encoder']

Encoder = tuple[Callable[[Any], bytes], 'Converter']

BIG: Final = 1 << 20  # bytes; a packer whose buffer grew beyond this is not kept
_BUFFER: Final = 4096  # bytes; it grows
_OTHERS: Final = frozenset({tuple, set, frozenset, *ENCODERS})
_PLAIN_KEYS: Final = KNOWN - {dict, list, tuple, set, frozenset, ExtType, Timestamp}
_PLAIN: Final = KNOWN - {dict, list, tuple, set, frozenset}
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1


class Converter:
    """Converts values for a Packer that does not know them, and notes what has to be checked."""

    __slots__ = ('called', 'dumps', 'extensions', 'keys', 'level', 'noted', 'sets')

    def __init__(self, level: int) -> None:
        self.level = level  # in how many sets
        self.called = False
        self.dumps: Dumps = {}
        self.extensions = 0
        self.sets = False  # whether there are any
        #: whether there may be a map that is hashable here, or a key that is equal to another
        self.keys = False
        #: whether that is so, or an object was dumped: `check_packed` has to look
        self.noted = False

    def __call__(self, value: Any) -> Any:
        """Return `value` as a type that the Packer knows.

        Raises TypeError, ValueError or OverflowError for a value that cannot travel, and what a
        `_lymph_dump_` raises.
        """
        self.called = True
        kind = type(value)
        if kind is tuple:
            return list(value)
        encode = ENCODERS.get(kind)
        if encode is not None:
            self.extensions += 1
            return encode(value)
        if kind is set or kind is frozenset:
            self.extensions += 1
            self.sets = True
            return ExtType(SET, self._members(value))
        if kind in KNOWN:  # an integer beyond 64 bits: the Packer packs all others itself
            return _last(value)
        value = as_known(value, self.dumps)
        # A dumped key may equal another key when it arrives. A hashable mapping may be a key or a
        # member of a set here, but it arrives as a dict, which cannot be one.
        if kind.__hash__ is not None and (self.dumps or type(value) is dict):
            self.noted = self.keys = True
        elif self.dumps:
            self.noted = True
        return self(value) if type(value) in _OTHERS else _last(value)

    def _members(self, value: set[Any] | frozenset[Any]) -> bytes:
        if self.level >= DEPTH:
            raise too_deep()
        check_hashes(value)
        others = idle[self.level + 1]
        encoder = others.pop() if others else new_encoder(self.level + 1)
        pack, inner = encoder
        inner.dumps, inner.extensions, inner.keys, inner.noted = self.dumps, 0, False, False
        data = pack(list(value))
        self.extensions += inner.extensions
        self.keys = self.keys or inner.keys
        self.noted = self.noted or inner.noted
        if len(data) < BIG:
            others.append(encoder)
        return data


def _last(value: Any) -> Any:
    """Return a value that is the Packer's to pack, unless that would not arrive as what it is."""
    if type(value) is int and not _LOWEST <= value <= _HIGHEST:
        raise OverflowError('expected an integer of 64 bits, from -2**63 to 2**64 - 1')
    if isinstance(value, (ExtType, Timestamp)):
        check_foreign(value)
    return value


# A Packer keeps its buffer, which saves most of packb's cost. What it packs may run code that packs
# or switches greenlets, so each use takes one out and puts it back.
idle: Final[list[deque[Encoder]]] = [deque(maxlen=16), *(deque(maxlen=2) for _ in range(DEPTH))]


def new_encoder(level: int = 0) -> Encoder:
    """Return what packs a value that is in `level` sets."""
    converter = Converter(level)
    packer = Packer(default=converter, strict_types=True, buf_size=_BUFFER)
    return packer.pack, converter


def check_packed(value: Any, data: bytes, converter: Converter) -> None:
    """Raise the error that reading `data`, which was made of `value`, would raise."""
    if len(data) > ITEMS:
        check_count(data)
    if converter.keys and (converter.sets or _has_odd_keys(value, converter.dumps)):
        verify(data)
    if converter.dumps or not is_flat(value, len(data)):
        _check_members(value, data, converter)
    converter.extensions = 0
    converter.called = converter.sets = converter.keys = converter.noted = False
    if converter.dumps:
        converter.dumps = {}


def _has_odd_keys(value: Any, dumps: Dumps) -> bool:
    """Tell whether a map may have keys that were dumped, or that are maps.

    Most objects are values; to look at the keys costs a fraction of what `verify` costs. Containers
    of other types than those that are known are not looked into: they may have such keys.
    """
    level = [value, *(result for _, result, _ in dumps.values())]
    while level:
        members: list[Any] = []
        for each in level:
            kind = type(each)
            if kind is dict:
                if not _PLAIN_KEYS.issuperset(map(type, each)):
                    return True
                members += each.values()
            elif kind is list or kind is tuple:
                members += each
            elif kind not in _PLAIN and id(each) not in dumps:
                return True
        level = [each for each in members if type(each) not in _PLAIN]
    return False


def _check_members(value: Any, data: bytes, converter: Converter) -> None:
    marks = data.translate(MARKS)
    deep = marks.count(b'c') > DEPTH
    foreign = marks.count(b'\xff') > converter.extensions
    # keys of one hash take a map of more than 16, and other types than numbers and text
    keys = converter.called and len(data) > SMALL and (b'\xde' in data or b'\xdf' in data)
    if foreign or keys or (deep and (converter.sets or not EXACT)):
        hashes = len(data) > SMALL
        check_value(value, hashes)
        for _, result, _ in converter.dumps.values():
            check_value(result, hashes)
    elif deep:
        check_nesting(data)
