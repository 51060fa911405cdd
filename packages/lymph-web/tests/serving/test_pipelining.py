"""Requests that arrive at once, in any pieces, are answered in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lymph.web._http.limits import Limits

KINDS: dict[str, Callable[[int], bytes]] = {
    'get': lambda number: b'GET /%d HTTP/1.1\r\nHost: a\r\n\r\n' % number,
    'body': lambda number: b'POST /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc' % number,
    'chunks': lambda number: (
        b'POST /%d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
        b'2\r\nab\r\n1\r\nc\r\n0\r\n\r\n' % number
    ),
    'unread': lambda number: (
        b'PUT /%d HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET / HTT' % number
    ),
}


def application(environ: Any, start_response: Any) -> Any:
    if environ['PATH_INFO'].endswith('3'):
        gevent.sleep(0.001)  # others arrive meanwhile
    read = environ['wsgi.input'].read() if environ['REQUEST_METHOD'] == 'POST' else b''
    start_response('200 OK', [])
    answer = environ['PATH_INFO'].encode() + read
    return iter([answer[:1], answer[1:]]) if environ['REQUEST_METHOD'] == 'POST' else [answer]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(sorted(KINDS)), max_size=8), st.data())
def test_requests_in_any_pieces_are_answered_in_their_order(start_server, connect, kinds, data):
    stream = b''.join(KINDS[kind](number) for number, kind in enumerate(kinds))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=5).map(sorted))
    server = start_server(application, **vars(Limits()))
    client = connect(server)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        client.send(stream[start:end])
        gevent.sleep(1e-6)  # the server reads what there is
    client.socket.shutdown(1)
    for number, kind in enumerate(kinds):
        answer = client.answer()
        expected = b'/%d' % number + (b'abc' if kind in ('body', 'chunks') else b'')
        assert (answer.status, answer.body) == (200, expected)
    assert client.at_end()
    client.close()
    server.finish(0)
