from __future__ import annotations

import pytest

from lymph.core import trace
from lymph.core._calling.calls import Call
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions
from lymph.serializers.msgpack import pack, unpack


@pytest.mark.parametrize('trace_id', ['a' * 32, 'a' * 31, 'a.b_c:d-' * 4, 'x' * 128, None])
@pytest.mark.parametrize('version', [None, '1.2'])
def test_headers_have_the_trace_id_the_remaining_time_and_the_version(trace_id, version):
    trace.set_id(trace_id)
    call = Call.begin('echo', 'echo.upper', {}, CallOptions(version=version), 5.0)
    headers = unpack(call.headers())
    assert 0 < headers.pop('timeout') <= 5.0
    if trace_id:
        assert headers.pop('trace_id') == trace_id
    else:
        assert len(headers.pop('trace_id')) == 32
    assert headers == ({} if version is None else {'version': version})


def test_all_attempts_of_a_call_have_one_trace_id():
    trace._trace_id.set(None)
    call = Call.begin('echo', 'echo.upper', {}, DEFAULT_OPTIONS, 5.0)
    first, second = (unpack(call.headers())['trace_id'] for _ in range(2))
    assert first == second == call.trace_id


def test_trace_id_of_the_options_takes_precedence_over_the_context():
    trace.set_id('work')
    call = Call.begin('echo', 'echo.upper', {}, CallOptions(trace_id='mine'), 5.0)
    assert unpack(call.headers())['trace_id'] == 'mine'
    assert trace.get_id() == 'work'
    trace._trace_id.set(None)


def test_packed_body_is_sent_unchanged():
    body = pack({'text': 'x'})
    assert Call.begin('echo', 'echo.upper', body, DEFAULT_OPTIONS, 5.0).packed is body
