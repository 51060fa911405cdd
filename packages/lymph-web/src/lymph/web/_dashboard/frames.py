"""Events of the streams of a dashboard: a name, and JSON."""

from __future__ import annotations

from typing import Any

from lymph.web._gateway.json_text import json_text

__all__ = ['named_frame']


def named_frame(name: str, value: Any) -> bytes:
    """Return an event in the format of server-sent events; `value` is of JSON types."""
    return f'event: {name}\ndata: {json_text(value)}\n\n'.encode(errors='backslashreplace')
