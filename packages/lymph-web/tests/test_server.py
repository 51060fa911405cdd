"""The HTTP server over real sockets: well-behaved, slow and malicious clients, and shutdown."""

from __future__ import annotations

import functools
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import gevent
import pytest
from gevent import socket
from gevent.event import Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Request, Response

from lymph.testing.waiting import eventually, let_pass
from lymph.web._answering.faults import ErrorAnswers
from lymph.web._serving.server import WebServer

WAIT = 10.0  # longer than anything here takes


class Pages:
    """The WSGI application: a method for each path."""

    def __init__(self) -> None:
        self.entered = Event()
        self.go_on = Event()
        self.environ: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.environ = environ
        request = Request(environ)
        try:
            response = getattr(self, request.path.strip('/') or 'plain')(request)
        except HTTPException as error:
            response = error
        return response(environ, start_response)

    def plain(self, request: Request) -> Response:
        return Response('hello')

    def echo(self, request: Request) -> Response:
        return Response(request.get_data())

    def stream(self, request: Request) -> Response:
        return Response(iter(['a', '', 'b']))

    def broken(self, request: Request) -> Response:
        def parts() -> Iterator[str]:
            yield 'a'
            raise ValueError('secret')

        return Response(parts())

    def slow(self, request: Request) -> Response:
        self.entered.set()
        self.go_on.wait(WAIT)
        return Response('done')

    def lines(self, request: Request) -> Response:
        return Response(list(request.stream))

    def slow_echo(self, request: Request) -> Response:
        first = request.stream.read(1)
        self.entered.set()
        self.go_on.wait(WAIT)
        return Response(first + request.stream.read())

    def late_echo(self, request: Request) -> Response:
        def parts() -> Iterator[bytes]:
            yield b'-'
            yield request.stream.read()

        return Response(parts(), headers={'Connection': 'close'})

    def forgetful(self, request: Request) -> Response:
        gevent.Timeout(0.05).start()
        return Response('hello')

    def slow_plain(self, request: Request) -> Response:
        let_pass(0.1, 'a request that is longer than the timeout of another one')
        return Response('hello')

    def large(self, request: Request) -> Response:
        return Response(b'x' * 50_000_000)

    def split(self, request: Request) -> Callable[..., Any]:
        def answer(environ: Any, start_response: Any) -> list[bytes]:
            start_response('200 OK', [('X-Split', 'a\r\nb: c')])
            return []

        return answer


@pytest.fixture
def pages() -> Pages:
    return Pages()


@pytest.fixture
def serve(pages: Pages, start_server: Callable[..., WebServer]) -> Callable[..., WebServer]:
    return functools.partial(start_server, pages)


def test_connection_serves_several_requests(serve, connect):
    client = connect(serve())
    for _ in range(3):
        client.get()
        answer = client.answer()
        assert (answer.status, answer.body, answer.closes) == (200, b'hello', False)


def test_pipelined_requests_are_answered_in_order(serve, connect):
    client = connect(serve())
    client.send(
        'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
        'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc'
        'GET /stream HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'
    )
    assert client.answer().body == b'hello'
    assert client.answer().body == b'abc'
    last = client.answer()
    assert (last.body, last.closes) == (b'ab', True)
    assert client.at_end()


def test_connection_close_of_a_client_is_confirmed(serve, connect):
    client = connect(serve())
    client.get('/', 'Connection: close')
    assert client.answer().closes
    assert client.at_end()


def test_http_1_0_answer_without_a_length_ends_with_the_connection(serve, connect):
    client = connect(serve())
    client.send('GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    answer = client.answer()
    assert (answer.body, answer.closes) == (b'ab', True)
    assert client.at_end()


@pytest.mark.parametrize('path', ['/plain', '/stream'])
def test_answer_to_head_has_no_body_and_leaves_the_connection_usable(serve, connect, path):
    client = connect(serve())
    client.get(path, method='HEAD')
    assert client.answer('HEAD').status == 200
    client.get()
    assert client.answer().body == b'hello'


def test_small_answers_are_sent_without_delay(start_server, connect):
    seen = []

    def application(environ, start_response):
        (link,) = server.links
        seen.append(link.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        start_response('200 OK', [])
        return []

    server = start_server(application)
    client = connect(server)
    client.get()
    client.answer()
    assert seen
    assert all(seen)


def test_header_fields_are_passed_in_the_environ(serve, connect, pages):
    client = connect(serve())
    client.get('/a%2Fb'[:1], 'X-Many: 1', 'X-Many: 2', 'Cookie: a=1', 'Cookie: b=2')
    client.answer()
    assert pages.environ['HTTP_X_MANY'] == '1,2'
    assert pages.environ['HTTP_COOKIE'] == 'a=1; b=2'
    assert pages.environ['HTTP_HOST'] == 'test'
    assert pages.environ['REMOTE_ADDR'] == '127.0.0.1'


def test_field_with_an_underscore_cannot_imitate_one_with_a_dash(serve, connect, pages):
    client = connect(serve())
    client.get('/', 'X_Forwarded_For: 1.2.3.4')
    client.answer()
    assert 'HTTP_X_FORWARDED_FOR' not in pages.environ


@pytest.mark.parametrize(
    'request_bytes',
    [
        b'nonsense\r\n\r\n',
        b'GET / HTTP/1.1\r\nHost: a b\r\n\r\n',
        b'GET / HTTP/1.1\r\n\r\n',
        b'GET / HTTP/1.1\nHost: a\n\n',
        b'\x16\x03\x01\x02\x00\n',
        b'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ],
)
def test_malformed_request_is_rejected_and_closes_the_connection(serve, connect, request_bytes):
    client = connect(serve())
    client.send(request_bytes)
    answer = client.answer()
    assert (answer.status, answer.closes) == (400, True)
    assert client.at_end()


@pytest.mark.parametrize(
    ('request_text', 'status'),
    [
        ('GET /{} HTTP/1.1\r\n', 414),
        ('GET / HTTP/1.1\r\nHost: a\r\nX-Long: {}\r\n', 431),
    ],
)
def test_head_beyond_its_limit_is_rejected(serve, connect, request_text, status):
    client = connect(serve(max_header_size=1000))
    client.send(request_text.format('x' * 1000))
    assert client.answer().status == status
    assert client.at_end()


def test_too_many_header_fields_are_rejected(serve, connect):
    client = connect(serve(max_headers=3))
    client.get('/', 'A: 1', 'B: 2', 'C: 3')
    assert client.answer().status == 431


def test_announced_body_beyond_the_limit_is_rejected_before_it_is_read(serve, connect):
    client = connect(serve(max_body_size=1000))
    client.get('/echo', 'Content-Length: 1001', 'Expect: 100-continue', method='POST')
    answer = client.answer()  # not 100 Continue
    assert (answer.status, answer.closes) == (413, True)
    assert client.at_end()


def test_client_that_keeps_sending_can_read_why_its_body_was_rejected(serve, connect):
    client = connect(serve(max_body_size=1000))
    client.get('/echo', 'Content-Length: 3000000', method='POST')
    sender = gevent.spawn(client.send, b'x' * 3_000_000)
    assert client.answer().status == 413
    sender.join(WAIT)
    assert sender.successful()
    assert client.at_end()


@pytest.mark.parametrize('size', [1000, 1001])
def test_chunks_count_towards_the_limit(serve, connect, size):
    client = connect(serve(max_body_size=1000))
    client.get('/echo', 'Transfer-Encoding: chunked', method='POST')
    client.send(b'1f4\r\n' + b'x' * 500 + b'\r\n')
    client.send(b'%x\r\n' % (size - 500) + b'x' * (size - 500) + b'\r\n0\r\n\r\n')
    answer = client.answer()
    if size > 1000:
        assert (answer.status, answer.closes) == (413, True)
    else:
        assert (answer.status, len(answer.body), answer.closes) == (200, 1000, False)


@pytest.mark.parametrize(
    'chunk', [b'zz\r\n', b'\r\n', b'1\r\nab\r\n', b'-1\r\n', b'fffffffffffffffff']
)
def test_malformed_chunks_are_rejected(serve, connect, chunk):
    client = connect(serve())
    client.get('/echo', 'Transfer-Encoding: chunked', method='POST')
    client.send(chunk)
    answer = client.answer()
    assert (answer.status, answer.closes) == (400, True)
    assert client.at_end()


def test_trailers_are_dropped_and_change_no_request(serve, connect, pages):
    client = connect(serve())
    client.get('/echo', 'Transfer-Encoding: chunked', 'Trailer: X-Late', method='POST')
    client.send('2\r\nab\r\n0\r\nX-Late: 1\r\nCookie: a=1\r\n\r\n')
    assert client.answer().body == b'ab'
    assert not {'HTTP_X_LATE', 'HTTP_COOKIE'} & pages.environ.keys()
    client.get()
    assert client.answer().body == b'hello'
    assert not {'HTTP_X_LATE', 'HTTP_COOKIE'} & pages.environ.keys()


def test_http_100_continue_is_sent_only_when_the_body_is_read(serve, connect):
    client = connect(serve())
    client.get('/echo', 'Content-Length: 2', 'Expect: 100-continue', method='POST')
    assert client.answer('HEAD').status == 100
    client.send('ok')
    assert client.answer().body == b'ok'
    client.get('/plain', 'Content-Length: 2', 'Expect: 100-continue', method='POST')
    assert client.answer().closes


def test_short_unread_body_is_skipped(serve, connect):
    client = connect(serve())
    client.get('/plain', 'Content-Length: 14', method='POST')
    client.send('GET /split\r\n\r\n')
    assert client.answer().body == b'hello'
    client.get()
    assert client.answer().body == b'hello'


def test_unread_body_beyond_the_limit_closes_the_connection(serve, connect):
    client = connect(serve(max_body_size=10))
    client.get('/plain', 'Content-Length: 11', method='POST')
    client.send('x' * 11)
    answer = client.answer()
    assert (answer.body, answer.closes) == (b'hello', True)
    assert client.at_end()


@pytest.mark.parametrize('form', ['Content-Length: 1000000', 'Transfer-Encoding: chunked'])
def test_long_unread_body_closes_the_connection(serve, connect, form):
    client = connect(serve())
    client.get('/plain', form, method='POST')
    chunked = form.endswith('chunked')
    client.send(b'x' * 1_000_000 if not chunked else b'f4240\r\n' + b'x' * 1_000_000 + b'\r\n')
    assert client.answer().body == b'hello'
    assert client.at_end()


def test_client_that_disconnects_within_its_body_affects_no_other(serve, connect):
    server = serve()
    client = connect(server)
    client.get('/echo', 'Content-Length: 100', method='POST')
    client.send('part')
    client.socket.shutdown(socket.SHUT_WR)
    assert client.answer().status == 400
    other = connect(server)
    other.get()
    assert other.answer().body == b'hello'


def test_slow_head_is_rejected_at_its_deadline(serve, connect):
    client = connect(serve(header_timeout=0.3))
    client.send('GET / HTTP/1.1\r\nHost: a\r\n')

    def trickle():
        with suppress(OSError):
            while True:
                client.send('X-More: 1\r\n')
                let_pass(0.05, 'a client that is slow, but not silent')

    trickler = gevent.spawn(trickle)
    answer = client.answer()
    assert (answer.status, answer.closes) == (408, True)
    trickler.kill()


def test_silent_client_is_disconnected(serve, connect):
    assert connect(serve(header_timeout=0.1)).at_end()


def test_idle_connection_is_closed(serve, connect):
    client = connect(serve(idle_timeout=0.1))
    client.get()
    client.answer()
    assert client.at_end()


def test_stalled_body_is_rejected(serve, connect):
    client = connect(serve(stall_timeout=0.1))
    client.get('/echo', 'Content-Length: 100', method='POST')
    client.send('part')
    answer = client.answer()
    assert (answer.status, answer.closes) == (408, True)


@pytest.mark.parametrize(
    ('form', 'piece'),
    [
        ('Content-Length: 1000', b'x'),
        ('Transfer-Encoding: chunked', b'1\r\nx\r\n'),
    ],
)
@pytest.mark.parametrize('path', ['/echo', '/lines'])
def test_slow_body_is_rejected_at_its_deadline(serve, connect, form, piece, path):
    client = connect(serve(body_timeout=0.3))
    client.get(path, form, method='POST')

    def trickle():
        with suppress(OSError):
            while True:
                client.send(piece)
                let_pass(0.02, 'a client that is slow, but not silent')

    trickler = gevent.spawn(trickle)
    answer = client.answer()
    assert (answer.status, answer.closes) == (408, True)
    trickler.kill()


def test_time_of_the_application_does_not_count_against_the_client(serve, connect, pages):
    client = connect(serve(body_timeout=0.2, stall_timeout=WAIT))
    client.get('/slow_echo', 'Content-Length: 2', method='POST')
    client.send('a')
    pages.entered.wait(WAIT)
    let_pass(0.3, 'an application that takes longer than the body may')
    client.send('b')
    pages.go_on.set()
    assert client.answer().body == b'ab'


def test_no_100_continue_is_sent_within_an_answer(serve, connect):
    client = connect(serve())
    client.get('/late_echo', 'Content-Length: 2', 'Expect: 100-continue', method='POST')
    assert client.file.readline() == b'HTTP/1.1 200 OK\r\n'
    client.send('ok')
    assert client.file.read().endswith(b'\r\n\r\n1\r\n-\r\n2\r\nok\r\n0\r\n\r\n')


def all_closed(server: WebServer) -> None:
    """Wait until the server has closed all its connections."""
    eventually(lambda: not server.links, WAIT)


@pytest.mark.parametrize(
    'sent',
    [
        '',
        'GET',
        'GET / HTTP/1.1\r\nHost: a\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
        'GET / HTTP/1.1\r\nHost: a\r\n\r\n' * 100,
        'GET /large HTTP/1.1\r\nHost: a\r\n\r\n',
        'GET /stream HTTP/1.1\r\nHost: a\r\n\r\n',
        'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab',
        'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n',
        'POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab',
        'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab',
        'nonsense\r\n\r\n',
    ],
)
def test_client_that_resets_its_connection_affects_no_other(start_server, connect, pages, sent):
    reported = []
    server = start_server(pages, faults=ErrorAnswers(reported.append))
    client = connect(server)
    client.send(sent)
    gevent.sleep(0)
    client.reset()
    all_closed(server)
    other = connect(server)
    other.get()
    assert other.answer().body == b'hello'
    assert reported == []


def test_connections_wait_while_no_descriptor_is_free(serve, connect, caplog):
    server = serve()
    with socket.socket() as sock:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (sock.fileno() + 1, hard))
        try:
            taken = []
            with suppress(OSError):
                while True:
                    taken.append(os.dup(sock.fileno()))  # what is free below the limit
            sock.settimeout(WAIT)
            sock.connect(server.address)
            sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
            eventually(lambda: 'no more connections can be accepted' in caplog.text)
            assert 'max_connections' in caplog.text
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in taken:
                os.close(descriptor)
        assert sock.recv(100).startswith(b'HTTP/1.1 200 OK')


def test_timeout_left_running_by_a_handler_affects_no_request(serve, connect):
    server = serve()
    client, other = connect(server), connect(server)
    client.get('/forgetful')
    assert client.answer().body == b'hello'
    other.get('/slow_plain')
    assert other.answer().body == b'hello'
    client.get()
    assert client.answer().body == b'hello'


def test_client_that_does_not_read_its_answer_is_disconnected(serve, connect):
    server = serve(stall_timeout=0.2)
    client = connect(server)
    client.get('/large')
    client.file.readline()
    all_closed(server)


def test_aborted_answer_closes_the_connection_and_shows_no_error(serve, connect):
    client = connect(serve())
    client.get('/broken')
    data = client.file.read()
    assert b'secret' not in data
    assert not data.endswith(b'0\r\n\r\n')


def test_headers_that_would_split_the_answer_are_rejected(serve, connect):
    client = connect(serve())
    client.get('/split')
    answer = client.answer()
    assert (answer.status, answer.closes) == (500, True)
    assert 'b' not in answer.headers


def test_draining_server_answers_and_closes_the_connection(serve, connect):
    draining = []
    server = serve(draining=lambda: bool(draining))
    kept = connect(server)
    kept.get()
    assert not kept.answer().closes
    draining.append(True)
    kept.get()
    answer = kept.answer()
    assert (answer.status, answer.closes) == (200, True)
    assert kept.at_end()


def test_finish_waits_for_answers_and_closes_idle_connections(serve, connect, pages):
    server = serve()
    idle, busy = connect(server), connect(server)
    idle.get()
    idle.answer()
    busy.get('/slow')
    pages.entered.wait(WAIT)
    finishing = gevent.spawn(server.finish, WAIT)
    assert idle.at_end()
    pages.go_on.set()
    answer = busy.answer()
    assert (answer.body, answer.closes) == (b'done', True)
    assert finishing.get(timeout=WAIT) == 0
    with pytest.raises(ConnectionRefusedError):
        connect(server)


def test_finish_closes_connections_that_do_not_end_in_time(serve, connect, pages):
    server = serve()
    client = connect(server)
    client.get('/slow')
    pages.entered.wait(WAIT)
    assert server.finish(0) == 1
    assert client.at_end()
    assert not server.links


@pytest.mark.parametrize('limit', ['wsgi_pool_size', 'max_connections'])
def test_more_clients_than_the_limits_allow_are_all_answered(serve, connect, limit):
    server = serve(**{limit: 2})
    clients = [connect(server) for _ in range(6)]
    for client in reversed(clients):
        client.get()
    assert [client.answer().body for client in clients] == [b'hello'] * 6


def test_idle_client_is_disconnected_when_there_are_too_many(serve, connect):
    server = serve(max_connections=2, idle_timeout=600)
    idle = connect(server)
    idle.get()
    assert not idle.answer().closes
    second, third = connect(server), connect(server)
    second.get()
    third.get()
    assert second.answer().status == third.answer().status == 200
    assert idle.at_end()


_PIECES = [
    b'GET / HTTP/1.1\r\n', b'POST /echo HTTP/1.1\r\n', b'HEAD /stream HTTP/1.0\r\n',
    b'Host: a\r\n', b'Content-Length: 5\r\n', b'Transfer-Encoding: chunked\r\n',
    b'Expect: 100-continue\r\n', b'Connection: close\r\n', b'Connection: upgrade\r\n',
    b'Upgrade: websocket\r\n', b'\r\n', b'5\r\nhello\r\n', b'0\r\n\r\n', b'5;ext\r\n',
    b'ffff\r\n', b'hello', b'\n', b'\0', b'x' * 3000,
]  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(_PIECES), max_size=12))
def test_garbage_of_one_client_does_not_affect_the_next(serve, connect, pieces):
    server = serve(header_timeout=0.05, stall_timeout=0.05, idle_timeout=0.05)
    client = connect(server)
    with suppress(ConnectionError):
        for piece in pieces:
            client.send(piece)
        client.file.read()  # until the server hangs up
    client.close()
    other = connect(server)
    other.get()
    assert other.answer().body == b'hello'
    other.close()
    all_closed(server)
    server.finish(0)
