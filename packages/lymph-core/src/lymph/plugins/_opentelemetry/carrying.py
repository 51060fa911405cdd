"""Span contexts in the headers of calls, events and HTTP requests.

The propagators of the SDK (``OTEL_PROPAGATORS``; W3C Trace Context and Baggage by default) decide
which headers there are: `traceparent`, `tracestate` and `baggage`. What a peer sends is text of a
bounded length, or it is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any, Final

from opentelemetry import propagate
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter, Setter

__all__ = ['carried', 'fields', 'put']

_LONGEST: Final = 8192  # characters; no valid baggage is longer


class _HeaderTexts(Getter[Mapping[str, Any]]):
    """Reads headers that a peer has sent, whose values may be anything."""

    def get(self, carrier: Mapping[str, Any], key: str) -> list[str] | None:
        value = carrier.get(key)
        return [value] if isinstance(value, str) and len(value) <= _LONGEST else None

    def keys(self, carrier: Mapping[str, Any]) -> list[str]:
        return [*carrier]


class _HeaderWriter(Setter[MutableMapping[str, Any]]):
    def set(self, carrier: MutableMapping[str, Any], key: str, value: str) -> None:
        with suppress(ValueError):  # the program itself uses the name, or all room for headers
            carrier[key] = value


_READER: Final = _HeaderTexts()
_WRITER: Final = _HeaderWriter()


def carried(headers: Mapping[str, Any]) -> Context:
    """Return the context that headers carry, empty if they carry none."""
    return propagate.extract(headers, Context(), _READER)


def put(headers: MutableMapping[str, Any], context: Context) -> None:
    """Have headers carry a context."""
    propagate.inject(headers, context, _WRITER)


def fields() -> dict[str, str]:
    """Return the header fields that carry the current context."""
    made: dict[str, str] = {}
    propagate.inject(made)
    return made
