"""Whether msgpack is nested too deep, told from its bytes before or after a value is made of them.

A message nests at most as deep as it has bytes that can begin a container, which most small ones
have few of. For others there is no option of msgpack's, but the stack of its Unpacker is bounded:
behind as many arrays as leave room for `DEPTH` containers, it passes over what fits and nothing
else, ten times as fast as Python looks at the members. It does not look into extension types.
"""

from __future__ import annotations

from typing import Final

from msgpack import StackError, Unpacker

from lymph.core.limits import DEPTH
from lymph.serializers._codec.excess import too_deep

__all__ = ['EXACT', 'MARKS', 'check_nesting', 'may_nest']

_STACK: Final = 1024  # MSGPACK_EMBED_STACK_SIZE of msgpack's sources
_ARRAY: Final = b'\x91'  # of one member
_NIL: Final = b'\xc0'
_FILLED: Final = _ARRAY * (_STACK - DEPTH)


def _mark(byte: int) -> int:
    if 0x80 <= byte <= 0x9F or 0xDC <= byte <= 0xDF:
        return ord('c')
    return 0xFF if 0xC7 <= byte <= 0xC9 or 0xD4 <= byte <= 0xD8 else 0


#: for `bytes.translate`: bytes that can begin a container become ``c``, an extension type 0xff
MARKS: Final = bytes(_mark(byte) for byte in range(256))


def may_nest(data: bytes) -> bool:
    """Tell whether `data` has enough containers to be nested too deep."""
    return data.translate(MARKS).count(b'c') > DEPTH


def check_nesting(data: bytes) -> None:
    """Raise ValueError for a message that is nested too deep.

    Raises OutOfData for one that is not complete, for instance where an array announces more
    members than follow: msgpack would make room for all of them.
    """
    unpacker = Unpacker(read_size=len(_FILLED) + len(data), max_buffer_size=0)
    unpacker.feed(_FILLED)
    unpacker.feed(data)
    try:
        unpacker.skip()
    except StackError as error:
        raise too_deep() from error


def _is_exact() -> bool:
    """Tell whether the stack is as large as expected, and whether it is bounded at all."""
    try:
        check_nesting(_ARRAY * DEPTH + _NIL)
    except ValueError:
        return False
    try:
        check_nesting(_ARRAY * (DEPTH + 1) + _NIL)
    except ValueError:
        return True
    return False


#: False for a msgpack that was built otherwise, or is written in Python
EXACT: Final = _is_exact()
