from __future__ import annotations

import pytest

from lymph.core import trace
from lymph.core._calling.calls import Call
from lymph.serializers.msgpack import unpack


@pytest.mark.parametrize('trace_id', ['a' * 32, 'a' * 31, 'a.b_c:d-' * 4, 'x' * 128, None])
@pytest.mark.parametrize('version', [None, '1.2'])
def test_headers_hold_the_trace_the_time_that_is_left_and_the_version(trace_id, version):
    trace.set_id(trace_id)
    call = Call.begin('echo', 'echo.upper', {}, 5.0, version)
    headers = unpack(call.headers())
    assert 0 < headers.pop('timeout') <= 5.0
    if trace_id:
        assert headers.pop('trace_id') == trace_id
    else:
        assert len(headers.pop('trace_id')) == 32
    assert headers == ({} if version is None else {'version': version})
