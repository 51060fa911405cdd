"""The headers of a call: its trace id, the seconds it has left, and the version it asks for.

Nearly every call has a trace id of 32 characters and no version. Such usual headers are 61 bytes of
msgpack that differ only in the values, so they are written and read directly. All others go through
the serializer.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from lymph.core import trace
from lymph.core._work.headers import packed_headers
from lymph.core.limits import HEADERS
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack, unpack

__all__ = ['pack_headers', 'read_usual', 'trace_id_in']

_TRACE_ID: Final = b'\x82\xa8trace_id\xd9\x20'  # a map of two; 32 bytes of text
_TIMEOUT: Final = b'\xa7timeout\xcb'  # a double
_USUAL: Final = struct.Struct(f'>{len(_TRACE_ID)}s32s{len(_TIMEOUT)}sd')
_SIZE: Final = _USUAL.size


def pack_headers(
    trace_id: str,
    timeout: float,
    version: str | None,
    added: Mapping[str, Any] | None = None,
) -> bytes:
    """Return the packed headers of a call that has `timeout` seconds left.

    `added` are those of interceptors. Raises SerializationError if all together are too long.
    """
    if version is None and not added and len(name := trace_id.encode()) == 32:
        return _USUAL.pack(_TRACE_ID, name, _TIMEOUT, timeout)
    headers: dict[str, Any] = {'trace_id': trace_id, 'timeout': timeout}
    if version is not None:
        headers['version'] = version
    return packed_headers(headers, added) if added else pack(headers)


def read_usual(data: bytes) -> tuple[str, float] | None:
    """Return trace id and timeout (seconds) of usual headers; None for unusual or invalid ones.

    The trace id has been checked to consist of letters and digits, the timeout not to be NaN.
    """
    if len(data) != _SIZE:
        return None
    before, name, between, timeout = _USUAL.unpack(data)
    if before != _TRACE_ID or between != _TIMEOUT or not name.isalnum() or timeout != timeout:
        return None
    return name.decode('ascii'), timeout


def trace_id_in(data: bytes) -> str | None:
    """Return the trace id in the packed headers of a request; None if there is no valid one."""
    usual = read_usual(data)
    if usual is not None:
        return usual[0]
    try:
        headers = unpack(data) if len(data) <= HEADERS else None
    except SerializationError:
        return None
    found = headers.get('trace_id') if isinstance(headers, dict) else None
    return found if trace.is_valid(found) else None
