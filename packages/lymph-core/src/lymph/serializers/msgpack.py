"""Values as msgpack, with extension types for types that msgpack does not have.

Source: the manual, section 4.7. Peers in other languages have to know these extension types:

====  ===========================  ==============================================================
code  value                        payload
====  ===========================  ==============================================================
1     set, frozenset               a msgpack array of the members
2     datetime, naive or aware     text, ISO 8601: 2016-02-19T12:30:00.000001[+01:00]
3     date                         text, ISO 8601: 2016-02-19
4     time                         text, ISO 8601: 12:30:00.000001[+01:00]
5     UUID                         its 16 bytes
6     Decimal                      text: 12.50
====  ===========================  ==============================================================

The second occurrence of a time when a clock was set back (`fold=1`) has ``[fold=1]`` after its
text.

`unpack` returns values equal to those that `pack` accepts, and `pack` accepts everything that
`unpack` returns. Some types change: tuples become lists, except as keys and in sets; bytearrays and
memoryviews become bytes, other mappings dicts, instances of subclasses their base class. For an
object with a method `_lymph_dump_`, the value that it returns is packed. Dataclasses, attrs
classes, `msgspec.Struct` and pydantic models become maps of their fields, Enums their values.
msgpack's own timestamp becomes an aware datetime, extension types with other codes become
`msgpack.ExtType`.

`lymph.core.limits` has the limits: `DEPTH` levels of nested containers, `ITEMS` members in all
containers together. If a set has more than 16 members, or a map more than 16 keys, at most 16 of
them may share their hashes with others; maps in messages of up to 256 bytes are not checked for
this.
"""

from __future__ import annotations

from typing import Any, Final

from msgpack import ExtType, StackError, Timestamp, unpackb

from lymph.core.limits import DEPTH
from lymph.exceptions import SerializationError
from lymph.serializers._codec import packing
from lymph.serializers._codec.bounds import CONTAINERS, check_value
from lymph.serializers._codec.excess import too_deep
from lymph.serializers._codec.extensions import check_foreign
from lymph.serializers._codec.nesting import MARKS
from lymph.serializers._codec.paths import cause, explain
from lymph.serializers._codec.unpacking import AS_DATETIME, SMALL, read_again, read_large, revive

__all__ = ['pack', 'unpack']

_idle: Final = packing.idle[0]
_FEW: Final = 8  # members that are looked at as fast as the bytes
_SHORT: Final = 96  # bytes that are looked at as fast as any members


def pack(value: Any) -> bytes:
    """Return `value` as msgpack.

    Raises SerializationError, which names the path to the invalid value.
    """
    try:
        encoder = _idle.pop()
    except IndexError:
        encoder = packing.new_encoder()
    pack_value, converter = encoder
    try:
        data = pack_value(value)
        size = len(data)
        # Most small values need no check. The bytes or the converter show which may need one:
        #
        # size > SMALL     there may be many members, or many keys of one hash
        # noted            keys may be equal, or a key not hashable, when they arrive
        # not ASCII        there may be an extension type of the user's with a code of ours
        # more than DEPTH  there may be too many containers inside each other
        if (
            size > SMALL
            or converter.noted
            or not (marks := data.translate(MARKS)).isascii()
            or (size > DEPTH and marks.count(b'c') > DEPTH)
        ):
            packing.check_packed(value, data, converter)
            if size > packing.BIG:
                return data  # and drop the encoder, whose buffer has grown
    except Exception as error:
        raise SerializationError(
            explain(value, error, converter.dumps, _misfit, _any_key)
        ) from error
    _idle.append(encoder)
    return data


def unpack(data: bytes) -> Any:
    """Return the value that `data` holds.

    Raises SerializationError if `data` is not msgpack or exceeds a bound, and if the payload of an
    extension type is invalid.
    """
    try:
        size = len(data)
        if size > SMALL:
            return read_large(bytes(data))
        try:
            value = unpackb(data, ext_hook=revive, strict_map_key=False, timestamp=AS_DATETIME)
        except TypeError:  # a key is an array or a set, which cannot be hashed
            value = read_again(data)
            try:
                check_value(value)  # the checks below do not look at keys
            except ValueError:
                # Few bytes may hold keys of one hash, but only if `pack` needs as few.
                pack(value)
        # Each container takes at least one byte. The cheaper check, of the members or of the bytes,
        # comes first; the whole value is checked only if neither has ruled out deep nesting.
        if size > DEPTH:
            if size <= _SHORT:
                nests = True
            elif type(value) is dict and len(value) <= _FEW:
                nests = not CONTAINERS.isdisjoint(map(type, value.values()))
            else:
                nests = type(value) in CONTAINERS
            if nests and bytes(data).translate(MARKS).count(b'c') > DEPTH:
                check_value(value, hashes=False)
        return value
    except Exception as error:
        text = cause(too_deep() if isinstance(error, StackError) else error)
        raise SerializationError(f'expected msgpack, found {len(data)} bytes: {text}') from error


def _misfit(scalar: Any) -> Exception | None:
    """Return what is wrong with a value that is no container and of a type that is known."""
    try:
        if isinstance(scalar, (ExtType, Timestamp)):
            check_foreign(scalar)
        packing.new_encoder()[0](scalar)
    except Exception as error:  # noqa: BLE001 - it is the answer
        return error
    return None


def _any_key(key: Any) -> Exception | None:
    return None
