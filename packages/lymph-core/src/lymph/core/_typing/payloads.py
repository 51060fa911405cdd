"""Payloads of events: a mapping, or an object that is sent as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, cast

from lymph.config.printable import printable, quoted
from lymph.core.limits import SUBJECT
from lymph.exceptions import SerializationError
from lymph.serializers._codec.kinds import as_known
from lymph.serializers._codec.paths import cause

__all__ = ['Payload', 'payload_of']


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _Attrs(Protocol):
    __attrs_attrs__: ClassVar[Any]


class _Struct(Protocol):
    __struct_fields__: ClassVar[tuple[str, ...]]


class _Model(Protocol):
    __pydantic_core_schema__: ClassVar[Any]


class _Dumps(Protocol):
    def _lymph_dump_(self) -> Any: ...


#: what may be emitted: a mapping, or an object of one of these kinds
Payload = Mapping[str, Any] | _Dataclass | _Attrs | _Struct | _Model | _Dumps


def payload_of(event_type: str, payload: Payload | None) -> Mapping[str, Any] | None:
    """Return a payload as the mapping that is sent; None means an empty one.

    Raises TypeError for a payload that cannot be sent as a mapping, SerializationError for an
    object that cannot be dumped.
    """
    if payload is None or isinstance(payload, (dict, Mapping)):
        return payload
    try:
        known = as_known(payload, {})
    except TypeError:
        known = payload
    except Exception as error:
        name = printable(event_type, SUBJECT)
        raise SerializationError(
            f'cannot serialize the payload of {name}: {cause(error)}'
        ) from error
    if not isinstance(known, dict):
        raise TypeError(f'expected the payload of {event_type} as a dict, found {quoted(payload)}')
    return cast('dict[str, Any]', known)
