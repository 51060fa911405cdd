from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lymph.core import trace
from lymph.core._protocol.call_headers import pack_headers, read_usual
from lymph.serializers.msgpack import pack, unpack

ID = '0123456789abcdef' * 2
USUAL = pack_headers(ID, 1.5, None)


@given(
    st.text(max_size=40) | st.text('0123456789abcdef', min_size=32, max_size=32),
    st.floats(allow_nan=False),
    st.none() | st.text(max_size=8),
)
@example(ID, 1.5, None)
@example('\xe9' * 16, 1.5, None)
def test_headers_are_readable_by_the_serializer(
    trace_id: str, timeout: float, version: str | None
) -> None:
    expected = {'trace_id': trace_id, 'timeout': timeout}
    if version is not None:
        expected['version'] = version
    assert unpack(pack_headers(trace_id, timeout, version)) == expected


@given(st.text('0123456789abcdefXYZ', min_size=32, max_size=32), st.floats(allow_nan=False))
def test_usual_headers_are_read_directly(trace_id: str, timeout: float) -> None:
    assert read_usual(pack_headers(trace_id, timeout, None)) == (trace_id, timeout)


@given(st.integers(0, len(USUAL) - 1), st.integers(0, 255))
def test_headers_with_one_changed_byte_are_left_to_the_serializer(position: int, byte: int) -> None:
    data = USUAL[:position] + bytes([byte]) + USUAL[position + 1 :]
    found = read_usual(data)
    if found is not None:
        assert {'trace_id': found[0], 'timeout': found[1]} == unpack(data)
        assert trace.is_valid(found[0])


@pytest.mark.parametrize(
    'data',
    [
        b'',
        pack({}),
        pack({'timeout': 1.5, 'trace_id': ID}),
        pack({'trace_id': ID, 'timeout': 1}),
        pack_headers(ID, 1.5, '1.0'),
        pack_headers('short', 1.5, None),
        pack_headers('a b' + ID[3:], 1.5, None),
        pack_headers('\xe9' + ID[2:], 1.5, None),
        pack_headers(ID, math.nan, None),
        USUAL[:-1],
        USUAL + b'\0',
    ],
)
def test_other_headers_are_left_to_the_serializer(data: bytes) -> None:
    assert read_usual(data) is None
