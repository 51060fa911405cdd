"""Answers of WSGI applications on the wire, including those of faulty applications."""

from __future__ import annotations

import asyncio
import builtins
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from lymph.web._answering.faults import ErrorAnswers
from lymph.web.interfaces import WebServiceInterface

OK = '200 OK'
FIVE = [('Content-Length', '5')]
NEXT = b'the next answer'


class Body:
    """The iterable that an application returns; counts how often it was closed."""

    def __init__(self, *parts: Any) -> None:
        self.parts = parts
        self.closed = 0

    def __iter__(self) -> Iterator[Any]:
        for part in self.parts:
            if isinstance(part, BaseException):
                raise part
            yield part

    def close(self) -> None:
        self.closed += 1


class Server:
    """Serves one application at /, and another answer at /next."""

    def __init__(self, start_server: Any, connect: Any) -> None:
        self.reported: list[BaseException] = []
        self.environ: dict[str, Any] = {}
        self._application: Any = None
        self._connect = connect
        self._server = start_server(self._serve, faults=ErrorAnswers(self.reported.append))

    def ask(self, application: Any, request: str = 'GET / HTTP/1.1') -> bytes:
        """Return all bytes received for a request and a second one sent after it."""
        self._application = application
        client = self._connect(self._server)
        client.send(f'{request}\r\nHost: a\r\nConnection: keep-alive\r\n\r\n')
        client.send('GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
        return client.file.read()

    def _serve(self, environ: Any, start_response: Any) -> Any:
        if environ['PATH_INFO'] == '/next':
            start_response(OK, [])
            return [NEXT]
        self.environ = environ
        return self._application(environ, start_response)


@pytest.fixture
def server(start_server: Any, connect: Any) -> Server:
    return Server(start_server, connect)


def answers(status: str, fields: list[Any], result: Any) -> Callable[..., Any]:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(status, fields)
        return result

    return application


def split(data: bytes) -> tuple[int, dict[str, str], bytes]:
    head, _, rest = data.partition(b'\r\n\r\n')
    first, *lines = head.decode('latin-1').split('\r\n')
    return int(first.split()[1]), dict(line.lower().split(': ', 1) for line in lines), rest


def follows(rest: bytes) -> bool:
    """Return whether `rest` is exactly the answer to the next request."""
    return rest.startswith(b'HTTP/1.1 200 OK\r\n') and rest.endswith(b'\r\n\r\n' + NEXT)


# Bodies and their lengths.


@pytest.mark.parametrize(
    'result',
    [
        lambda: [b'0123456789'],
        lambda: (b'01234', b'56789'),
        lambda: iter([b'01', b'23456789']),
        lambda: Body(b'01234', b'56789'),
    ],
)
def test_body_longer_than_its_length_is_cut_and_nothing_follows(server, result):
    status, _, rest = split(server.ask(answers(OK, FIVE, result())))
    assert (status, rest) == (200, b'01234')
    (error,) = server.reported
    assert str(error) == 'expected a body of 5 bytes as its Content-Length says, found more'


@pytest.mark.parametrize('result', [[], [b'ab'], [b'', b'ab']])
def test_body_shorter_than_its_length_ends_the_connection(server, result):
    status, fields, rest = split(server.ask(answers(OK, FIVE, result)))
    assert (status, fields['content-length'], rest) == (200, '5', b''.join(result))
    assert [type(error).__name__ for error in server.reported] == ['AnswerError']


def test_body_of_the_announced_length_is_followed_by_the_next_answer(server):
    _, fields, rest = split(server.ask(answers(OK, FIVE, Body(b'01', b'', b'234'))))
    assert rest.startswith(b'01234')
    assert follows(rest[5:])
    assert 'connection' not in fields
    assert server.reported == []


@pytest.mark.parametrize(
    ('request_line', 'status', 'fields', 'told'),
    [
        ('HEAD / HTTP/1.1', OK, FIVE, False),
        ('HEAD / HTTP/1.1', OK, [], False),
        ('HEAD / HTTP/1.1', '404 Not Found', [('Content-Length', '3')], False),
        ('GET / HTTP/1.1', '204 No Content', [], True),
        ('GET / HTTP/1.1', '204 No Content', FIVE, True),
        ('POST / HTTP/1.1', '304 Not Modified', [], True),
        ('GET / HTTP/1.1', '304 Not Modified', FIVE, True),
    ],
)
@pytest.mark.parametrize('kind', [list, iter, lambda parts: Body(*parts)])
def test_answer_without_a_body_ignores_the_returned_data(
    server, request_line, status, fields, told, kind
):
    body = kind([b'', b'0123456789', b'more'])
    code, _, rest = split(server.ask(answers(status, fields, body), request_line))
    assert code == int(status[:3])
    assert follows(rest)
    assert bool(server.reported) is told


@pytest.mark.parametrize('status', ['100 Continue', '101 Switching Protocols', '103 Early Hints'])
def test_informational_status_closes_the_connection_without_a_body(server, status):
    code, fields, rest = split(server.ask(answers(status, FIVE, [b'01234'])))
    assert (code, rest) == (int(status[:3]), b'')
    assert 'content-length' not in fields


def test_connection_headers_are_set_only_by_the_server(server):
    fields = [('Transfer-Encoding', 'chunked'), ('Keep-Alive', 'timeout=9'), ('X-Own', '1')]
    _, found, rest = split(server.ask(answers(OK, fields, [b'0\r\n\r\n'])))
    assert found.keys() == {'content-length', 'date', 'x-own'}
    assert rest.startswith(b'0\r\n\r\n')
    assert follows(rest[5:])


class Recording:
    """A socket that records what each write has sent."""

    def __init__(self, sock: Any) -> None:
        self._socket = sock
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        size: int = self._socket.send(data)
        self.sent.append(bytes(data[:size]))
        return size

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


@pytest.mark.parametrize(
    ('parts', 'writes'), [([b'a', b'b'], 1), ([], 1), ((b'ab',), 1), (iter([b'a', b'b']), 3)]
)
def test_answer_is_one_write_and_a_stream_one_for_each_part(start_server, connect, parts, writes):
    def application(environ, start_response):
        link = environ['lymph.link']
        link.socket = Recording(link.socket)
        sockets.append(link.socket)
        start_response('200 OK', [])
        return parts

    sockets: list[Recording] = []
    client = connect(start_server(application))
    client.get()
    assert client.answer().body == (b'ab' if parts else b'')
    assert [len(each.sent) for each in sockets] == [writes]
    assert b'a' in sockets[0].sent[0].partition(b'\r\n\r\n')[2] or not parts


class Recorded(WebServiceInterface):
    url_map = Map([Rule('/', endpoint='index')])

    def index(self, request):
        link = request.environ['lymph.link']
        self.socket = link.socket = Recording(link.socket)
        return Response('ab')


def test_response_of_a_method_is_one_write(start_interface):
    web = start_interface(Recorded, {'trusted_proxies': ['unix'], 'cookies': {'secure': True}})
    assert web.ask('/').body == b'ab'
    assert len(web.interface.socket.sent) == 1


def test_application_may_close_the_connection(server):
    _, fields, rest = split(server.ask(answers(OK, [('Connection', 'close')], [b'ab'])))
    assert (fields['connection'], rest) == ('close', b'ab')


def test_written_data_precedes_returned_data(server):
    def application(environ, start_response):
        write = start_response(OK, FIVE)
        write(b'01')
        write(b'')
        return [b'234']

    _, _, rest = split(server.ask(application))
    assert rest.startswith(b'01234')
    assert follows(rest[5:])


def test_written_data_counts_towards_the_length(server):
    def application(environ, start_response):
        write = start_response(OK, FIVE)
        write(b'0123')
        write(b'456789')
        return []

    assert split(server.ask(application))[2] == b'01234'


# Failures before the first byte.


def twice(environ: Any, start_response: Any) -> Any:
    start_response(OK, [])
    start_response(OK, [])
    return [b'body']


def raising(error: BaseException) -> Callable[..., Any]:
    def application(environ: Any, start_response: Any) -> Any:
        raise error

    return application


def writing(data: Any) -> Callable[..., Any]:
    def application(environ: Any, start_response: Any) -> Any:
        start_response(OK, FIVE)(data)

    return application


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise SystemExit(3)

    def __repr__(self) -> str:
        return 'Unspeakable()'


def _groups() -> list[BaseException]:
    group = getattr(builtins, 'BaseExceptionGroup', None)  # from Python 3.11 on
    return [] if group is None else [group('secret', [SystemExit()])]


ERRORS = [
    ValueError('secret'), SystemExit(0), KeyboardInterrupt(), GeneratorExit(),
    asyncio.CancelledError(), gevent.Timeout(5), gevent.GreenletExit(), Unspeakable(),
    OSError(32, 'Broken pipe'), TimeoutError('secret'), ConnectionResetError(104, 'secret'),
    OSError(2, 'secret', b'\xff'.decode(errors='surrogateescape')), StopIteration(5),
    *_groups(),
]  # fmt: skip

FAILURES = {
    **{f'raises {type(error).__name__}': raising(error) for error in ERRORS},
    **{f'body raises {type(e).__name__}': answers(OK, FIVE, Body(b'', e)) for e in ERRORS[:10]},
    'not started': lambda environ, start_response: [b'body'],
    'not started, empty': lambda environ, start_response: [],
    'started twice': twice,
    'text': answers(OK, [], 'text'),
    'bytes': answers(OK, [], b'bytes'),
    'None': answers(OK, [], None),
    'parts of text': answers(OK, [], ['text']),
    'parts of text, one by one': answers(OK, [], Body('text')),
    'parts of None': answers(OK, [], Body(None)),
    'writes text': writing('text'),
    'writes None': writing(None),
    'odd status': answers('banana', [], [b'']),
    'split status': answers('200 OK\r\nX: y', [], [b'']),
    'split field': answers(OK, [('X', 'a\r\nSet-Cookie: b')], [b'']),
    'euro': answers(OK, [('X', '\u20ac')], [b'']),
    'two lengths': answers(OK, FIVE * 2, [b'01234']),
    'odd length': answers(OK, [('Content-Length', '5,5')], [b'01234']),
    'field without a value': answers(OK, [('X',)], [b'']),
}


@pytest.mark.parametrize('application', FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize('accept', ['application/json', 'text/html'])
def test_failure_before_the_first_byte_is_answered_with_an_error(server, application, accept):
    request = f'GET / HTTP/1.1\r\nAccept: {accept}\r\nX-Trace-Id: abc-1'
    status, fields, rest = split(server.ask(application, request))
    kind = 'application/problem+json' if accept == 'application/json' else accept
    assert (status, fields['content-type'].partition(';')[0]) == (500, kind)
    assert fields['content-length'] == str(len(rest))
    assert fields['x-trace-id'] == 'abc-1'
    assert b'abc-1' in rest
    assert b'secret' not in rest
    assert 'set-cookie' not in fields
    if accept == 'application/json':
        assert json.loads(rest)['trace_id'] == 'abc-1'
    assert len(server.reported) == 1


def test_error_replaces_an_answer_that_was_started_but_not_sent(server):
    def application(environ, start_response):
        start_response(OK, FIVE)
        try:
            raise ValueError('no')
        except ValueError:
            start_response('503 Later', [('Content-Length', '2')], sys.exc_info())
        return [b'no']

    status, _, rest = split(server.ask(application))
    assert status == 503
    assert rest.startswith(b'no')
    assert follows(rest[2:])


# Failures after the first byte.


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('fields', [FIVE, []])
def test_failure_after_the_first_byte_closes_the_connection_within_the_answer(
    server, error, fields
):
    body = Body(b'01', error, b'23')
    status, found, rest = split(server.ask(answers(OK, fields, body)))
    assert (status, rest) == (200, b'01' if fields else b'2\r\n01\r\n')
    assert ('transfer-encoding' in found) is not bool(fields)
    assert len(server.reported) == 1
    assert body.closed == 1


def test_error_too_late_for_an_answer_is_raised_again(server):
    def application(environ, start_response):
        start_response(OK, [])(b'01')
        try:
            raise ValueError('late')
        except ValueError:
            start_response('500 No', [], sys.exc_info())
        return []

    assert split(server.ask(application))[2] == b'2\r\n01\r\n'
    assert [str(error) for error in server.reported] == ['late']


# What is closed.


@pytest.mark.parametrize(
    'body',
    [
        Body(b'01234'),
        Body(b'0123456789'),
        Body(b'01'),
        Body(),
        Body(ValueError()),
        Body(b'01', ValueError()),
        Body('text'),
    ],
)
@pytest.mark.parametrize('method', ['GET', 'HEAD'])
def test_iterable_of_the_application_is_closed_exactly_once(server, body, method):
    body.closed = 0
    server.ask(answers(OK, FIVE, body), f'{method} / HTTP/1.1')
    assert body.closed == 1


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_error_while_closing_the_iterable_affects_no_other_request(server, error):
    class Unclosable(Body):
        def close(self):
            raise error

    _, _, rest = split(server.ask(answers(OK, FIVE, Unclosable(b'01234'))))
    assert rest.startswith(b'01234')
    assert follows(rest[5:])
    assert server.reported == [error]


# What is told.


def test_client_input_cannot_forge_log_lines(server, caplog):
    with caplog.at_level(logging.DEBUG):
        server.ask(raising(ValueError('a')), 'GET /%0d%0aforged%1b[2J%e2%80%ae HTTP/1.1')
    (record,) = [
        record for record in caplog.records if record.name == 'lymph.web._answering.faults'
    ]
    assert record.getMessage() == 'GET /\\r\\nforged\\x1b[2J\\u202e failed'


def test_long_methods_and_paths_are_cut_in_the_log(server, caplog):
    with caplog.at_level(logging.DEBUG):
        server.ask(raising(ValueError('a')), f'{"M" * 9000} /{"p" * 9000} HTTP/1.1')
    assert all(len(record.getMessage()) < 500 for record in caplog.records)


def test_application_that_always_fails_does_not_fill_the_log(server, caplog):
    with caplog.at_level(logging.DEBUG):
        for _ in range(100):
            server.ask(raising(ValueError('a')))
    lines = [record for record in caplog.records if record.name == 'lymph.web._answering.faults']
    assert 0 < len(lines) < 100
    assert len(server.reported) == 100


def test_failing_report_does_not_change_the_answer(start_server, connect):
    def report(error):
        raise SystemExit(1)

    server = start_server(raising(ValueError('a')), faults=ErrorAnswers(report))
    client = connect(server)
    client.get()
    assert client.answer().status == 500
