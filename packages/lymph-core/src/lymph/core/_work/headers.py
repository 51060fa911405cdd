"""Headers that interceptors add to requests, replies and events, next to lymph's own.

Names of lymph's own headers are reserved. A value is anything that can be serialized; all values
together are bounded, so that what is sent never exceeds `lymph.core.limits.HEADERS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final

from lymph.config.printable import quoted
from lymph.core.limits import HEADERS
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack

__all__ = ['FIXED', 'LONGEST', 'Headers', 'arrived', 'packed_headers']

#: bytes of all added headers together; the rest of HEADERS is for lymph's own
LONGEST: Final = HEADERS - 1024

#: why headers of a message that has arrived cannot be set
FIXED: Final = 'headers that have arrived cannot be set; in a service, set work.reply_headers'

_RESERVED: Final = frozenset(
    {'trace_id', 'timeout', 'version', 'reason', 'idempotent', 'serial_type'}
)
_PREFIX: Final = 'lymph.'  # reserved for headers of later versions of lymph
_NAME = 255  # bytes of a name


class Headers(MutableMapping[str, Any]):
    """Headers of a unit of work: those that it has, and those that interceptors add.

    Setting one raises ValueError for a reserved name or if all headers together become too long,
    TypeError for a name that is not text or if headers cannot be set (`fixed` is the reason),
    SerializationError for a value that cannot be serialized.
    """

    __slots__ = ('_fixed', '_sizes', '_values')

    def __init__(self, values: Mapping[str, Any] | None = None, fixed: str = '') -> None:
        self._values: dict[str, Any] = dict(values or {})
        self._sizes: dict[str, int] = {}
        self._fixed = fixed

    def copied(self) -> Headers:
        """Return an independent copy."""
        made = Headers(self._values)
        made._sizes.update(self._sizes)
        return made

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._check_name(name)
        try:
            size = len(pack({name: value}))
        except SerializationError as error:
            raise SerializationError(f'header {quoted(name)}: {error}') from error
        others = sum(self._sizes.values()) - self._sizes.get(name, 0)
        if others + size > LONGEST:
            raise ValueError(
                f'header {quoted(name)}: expected at most {LONGEST} bytes of headers, found '
                f'{others + size}; send what is larger as an argument or a payload'
            )
        self._sizes[name] = size
        self._values[name] = value

    def __delitem__(self, name: str) -> None:
        self._check_name(name)
        del self._values[name]
        self._sizes.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(self._values)

    def _check_name(self, name: object) -> None:
        if self._fixed:
            raise TypeError(self._fixed)
        if not isinstance(name, str):
            raise TypeError(f'expected the name of a header as text, found {quoted(name)}')
        if name in _RESERVED or name.startswith(_PREFIX):
            raise ValueError(f'the header {quoted(name)} is set by lymph; choose another name')
        if len(name.encode(errors='replace')) > _NAME:
            raise ValueError(f'expected a name of at most {_NAME} bytes, found {quoted(name)}')


def arrived(values: Mapping[str, Any]) -> Headers:
    """Return the headers of a received message: they cannot be set."""
    return Headers(values, FIXED)


def packed_headers(own: Mapping[str, Any], added: Mapping[str, Any]) -> bytes:
    """Return lymph's own headers of a message and added ones as bytes.

    Raises SerializationError if they are too long: a value may have grown since it was set.
    """
    packed = pack({**added, **own})
    if len(packed) > HEADERS:
        found = f'expected headers of at most {HEADERS} bytes, found {len(packed)}'
        raise SerializationError(found)
    return packed
