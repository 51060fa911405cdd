"""A connection without a socket: its states, and any division of its bytes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from lymph.web._http.bodies import Body
from lymph.web._http.connection import (
    ANSWERING,
    CLOSED,
    HEAD,
    IDLE,
    LINGERING,
    SKIPPING,
    HttpConnection,
)
from lymph.web._http.heads import HeadError
from lymph.web._http.limits import Limits
from lymph.web._http.splitting import HeadSplitter

LIMITS = Limits(max_header_size=200, max_body_size=100, max_headers=10)
GET = b'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
PUT = b'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'
POST = b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n'


def new() -> HttpConnection:
    return HttpConnection(LIMITS, HeadSplitter(LIMITS.max_headers))


class Client:
    """Sends chunks to a connection, whose requests are answered one after the other."""

    def __init__(self, chunks: list[bytes], read: bool) -> None:
        self.connection = new()
        self.buffer = self.connection.buffer
        self.seen: list[Any] = []
        self._chunks = list(chunks)
        self._read = read

    def fill(self, timeout: float) -> bool:
        if not self._chunks:
            self.connection.end()
            return False
        assert self.connection.receive(self._chunks.pop(0)) is None
        return True

    def run(self) -> list[Any]:
        """Return all requests with their bodies, and the status of what was refused."""
        connection = self.connection
        try:
            while connection.state not in (CLOSED, LINGERING):
                if connection.state is IDLE and self.buffer:
                    data = bytes(self.buffer)
                    self.buffer.clear()
                elif self._chunks:
                    data = self._chunks.pop(0)
                else:
                    break
                head = connection.receive(data)
                if head is not None:
                    self._answer(head)
        except HeadError as error:
            self.seen.append(error.status)
        return self.seen

    def _answer(self, head: Any) -> None:
        body = Body(head, self, LIMITS) if head.has_body else None
        self.connection.body = body
        try:
            data = body.read() if body is not None and self._read else b''
        except HTTPException as error:
            data = error.code
        self.seen.append((head.method, head.path, head.variables, data))
        reusable = head.keep_alive and not (body is not None and body.abandoned)
        self.connection.answered(reusable)


PIECES = [
    GET, GET.replace(b'/', b'/b', 1), POST + b'hello', POST + GET, b'\r\n', b'\r\n' * 3,
    b'HEAD /h HTTP/1.0\r\n\r\n', b'HEAD /h HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
    PUT + b'3;a=b\r\nabc\r\n0\r\nT: 1\r\n\r\n', PUT + b'3\r\nabcd',
    b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n' + b'x' * 500,
    b'GET /close HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', b'nonsense\r\n\r\n',
    b'GET / HTTP/1.1\nHost: a\n\n', b'GET / HTTP/1.1\r\n\r\n', b'GET /' + b'x' * 300,
    b'GET / HTTP/1.1\r\nHost: a\r\nX: ' + b'x' * 300 + b'\r\n\r\n', b'GET / HTTP/1.1\r\nHo',
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=6), st.data(), st.booleans())
def test_any_division_of_the_bytes_gives_the_same_requests(pieces, data, read):
    stream = b''.join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    divided = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    expected = Client([stream[at : at + 1] for at in range(len(stream))], read).run()
    assert Client([chunk for chunk in divided if chunk], read).run() == expected


def test_pipelined_requests_are_returned_one_after_the_other():
    client = Client([POST + b'hello' + GET * 2], read=True)
    assert [(method, body) for method, _, _, body in client.run()] == [
        ('POST', b'hello'),
        ('GET', b''),
        ('GET', b''),
    ]


def test_request_is_not_begun_before_the_one_before_it_is_answered():
    connection = new()
    assert connection.receive(GET) is not None
    assert connection.receive(GET) is None
    assert (connection.state, bytes(connection.buffer)) == (ANSWERING, GET)


@pytest.mark.parametrize(
    ('data', 'state', 'patience'),
    [
        (b'', IDLE, LIMITS.header_timeout),
        (b'GET', HEAD, LIMITS.header_timeout),
        (b'\r\n', HEAD, LIMITS.header_timeout),
        (GET, ANSWERING, None),
    ],
)
def test_each_state_has_its_time(data, state, patience):
    connection = new()
    if data:
        connection.receive(data)
    assert (connection.state, connection.patience()) == (state, patience)


def test_idle_time_begins_after_the_first_answer():
    connection = new()
    connection.receive(GET)
    connection.answered(True)
    assert (connection.state, connection.patience()) == (IDLE, LIMITS.idle_timeout)


def answered(data: bytes, reusable: bool = True) -> HttpConnection:
    connection = new()
    head = connection.receive(data)
    assert head is not None
    if head.has_body:
        connection.body = Body(head, connection, LIMITS)  # type: ignore[arg-type]
    connection.answered(reusable)
    return connection


def test_short_rest_of_a_body_is_skipped():
    connection = answered(POST + b'he')
    assert connection.state == SKIPPING
    assert connection.receive(b'llo') is None
    assert connection.state == IDLE
    assert connection.receive(GET) is not None


def test_rest_that_does_not_arrive_ends_the_connection():
    connection = answered(POST + b'he')
    connection.expire()
    assert connection.state == LINGERING
    connection.receive(b'x' * 1000)
    assert not connection.buffer
    connection.expire()
    assert connection.state == CLOSED


def test_last_answer_closes_the_connection_or_waits_for_the_client_to_read_it():
    assert answered(GET, reusable=False).state == CLOSED
    assert answered(POST, reusable=False).state == LINGERING


def test_request_of_a_client_that_has_closed_its_side_is_answered():
    connection = new()
    connection.receive(GET + GET)
    connection.end()
    assert connection.state == ANSWERING
    connection.answered(True)
    rest = bytes(connection.buffer)
    connection.buffer.clear()
    assert connection.receive(rest) is not None
    connection.answered(True)
    assert connection.state == CLOSED


def test_requests_that_arrived_before_the_client_closed_its_side_are_all_answered():
    connection = new()
    assert connection.receive(GET + GET + GET[:9]) is not None
    connection.answered(True)
    connection.end()
    for expected in (ANSWERING, CLOSED):
        assert connection.state is IDLE
        data = bytes(connection.buffer)
        connection.buffer.clear()
        connection.receive(data)
        assert connection.state is expected
        if expected is ANSWERING:
            connection.answered(True)


def test_incomplete_head_is_refused_when_its_time_is_over():
    connection = new()
    connection.receive(GET[:-2])
    with pytest.raises(HeadError) as caught:
        connection.expire()
    assert (caught.value.status, connection.state) == (408, LINGERING)


def test_stop_closes_what_waits_for_a_request():
    connection = new()
    connection.stop(patient=True)
    assert connection.state == IDLE
    connection.stop(patient=False)
    assert connection.state == CLOSED
    connection = answered(GET)
    connection.stop(patient=True)
    assert connection.state == CLOSED
    connection = new()
    connection.receive(GET)
    connection.stop(patient=False)
    assert connection.state == ANSWERING
