"""Every request gets exactly one answer."""

from __future__ import annotations

import asyncio
import builtins
import logging
import re

import gevent
import pytest
from werkzeug.exceptions import HTTPException, NotFound, abort
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from lymph.core import trace
from lymph.core.failures import Killed
from lymph.exceptions import LookupFailure, RemoteError
from lymph.web._answering.application import Application
from lymph.web._answering.faults import AnswerAborted
from lymph.web._answering.health import Health


class Site:
    name = 'site'
    url_map = Map(
        [
            Rule('/hello/<name>/', endpoint='hello', methods=['GET']),
            *[
                Rule(f'/{name}', endpoint=name)
                for name in (
                    'echo', 'text', 'fail', 'away', 'remote', 'stop', 'own', 'moved', 'trace_id',
                    'stream', 'http_error', 'raising', 'late', 'later', 'given', 'closing',
                )
            ],
            Rule('/_health/', endpoint='fail'),
        ]
    )  # fmt: skip
    request_class = Request
    debug = False
    max_body_size = 100

    def __init__(self) -> None:
        self.health = Health(lambda: True, lambda: False)
        self.reported: list[BaseException] = []
        self.error: BaseException = ValueError('secret')
        self.answer: object = None

    def report_error(self, error):
        self.reported.append(error)

    def raising(self, request):
        raise self.error

    def late(self, request):
        return Response(self.parts())

    def later(self, request):
        return Response(self.parts('a'))

    def parts(self, *parts):
        yield from parts
        raise self.error

    def given(self, request):
        return self.answer

    def closing(self, request):
        response = Response('a')
        response.call_on_close(lambda: self.raising(request))
        return response

    def hello(self, request, name):
        return Response(f'hello {name}!')

    def echo(self, request):
        return Response(request.get_data())

    def text(self, request):
        return 5

    def fail(self, request):
        raise ValueError('secret')

    def away(self, request):
        raise LookupFailure('no instance of secret')

    def remote(self, request):
        raise RemoteError.named('KeyError', 'secret')

    def stop(self, request):
        abort(418, 'short and stout')

    def own(self, request):
        abort(Response('mine', 400, {'X-Mine': '1'}))

    def moved(self, request):
        return redirect('/hello/you/')

    def trace_id(self, request):
        return Response(trace.get_id())

    def stream(self, request):
        def parts():
            yield trace.get_id()
            trace.set_id('another')
            yield trace.get_id()

        return Response(parts())

    def http_error(self, request):
        raise HTTPException('no code at all')


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def client(site):
    return Client(Application(site))


def test_url_selects_the_method_and_its_arguments(client):
    response = client.get('/hello/w%C3%B6rld/')
    assert (response.status_code, response.text) == (200, 'hello wörld!')


@pytest.mark.parametrize(
    ('call', 'status'),
    [
        (lambda client: client.get('/nowhere'), 404),
        (lambda client: client.post('/hello/you/'), 405),
        (lambda client: client.get('/stop'), 418),
        (lambda client: client.get('/fail'), 500),
        (lambda client: client.get('/text'), 500),
        (lambda client: client.get('/away'), 503),
        (lambda client: client.get('/remote'), 500),
        (lambda client: client.get('/http_error'), 500),
        (lambda client: client.post('/text', data=b'x' * 101), 413),
    ],
)
def test_every_error_is_an_answer_in_json_with_the_trace_id(client, call, status):
    response = call(client)
    assert response.status_code == status
    assert response.json['status'] == status
    assert response.json['trace_id'] == response.headers['X-Trace-Id']
    assert 'secret' not in response.text


def test_wrong_method_is_answered_with_the_allowed_methods(client):
    assert 'GET' in client.post('/hello/you/').headers['Allow']


def test_browser_gets_errors_as_html(client):
    assert client.get('/nowhere', headers={'Accept': 'text/html'}).mimetype == 'text/html'


def test_response_of_the_handler_is_sent_unchanged(client):
    response = client.get('/own')
    assert (response.text, response.headers['X-Mine']) == ('mine', '1')
    assert client.get('/moved').location == '/hello/you/'
    assert client.get('/hello/you').status_code == 308


def test_only_unexpected_errors_are_reported(client, site):
    for path in ('/nowhere', '/stop', '/away'):
        client.get(path)
    assert site.reported == []
    for path in ('/fail', '/remote', '/text'):
        client.get(path)
    assert [type(error).__name__ for error in site.reported] == [
        'ValueError', 'KeyError', 'TypeError',
    ]  # fmt: skip


def test_method_that_returns_no_response_is_named(client, site):
    client.get('/text')
    assert str(site.reported[0]) == (
        'expected Site.text to return a werkzeug Response, text, bytes, a dict or list for JSON, '
        'or a tuple of one of these with a status, headers, or both; found int'
    )


def test_debug_mode_shows_the_traceback(client, site):
    site.debug = True
    assert any('secret' in line for line in client.get('/fail').json['traceback'])


def test_health_endpoint_takes_precedence_over_the_rules(client, site):
    assert client.get('/_health/').json == {'status': 'healthy'}
    site.health = Health(lambda: True, lambda: False, enabled=False)
    assert client.get('/_health/').status_code == 500


def test_answer_has_one_trace_id_even_if_a_handler_sets_another(client, site):
    site.answer = Response('a', headers={'x-trace-id': 'mine'})
    response = client.get('/given', headers={'X-Trace-Id': 'abc-1'})
    assert response.headers.getlist('X-Trace-Id') == ['abc-1']


def test_trace_id_of_the_request_reaches_the_handler_and_the_answer(client):
    response = client.get('/trace_id', headers={'X-Trace-Id': 'abc-123'})
    assert response.text == response.headers['X-Trace-Id'] == 'abc-123'


@pytest.mark.parametrize(
    'given', ['', 'a b', 'x' * 129, 'ä', 'a;b', 'a\x1b[2J', 'a,b', 'a\tb', '\u0661']
)
def test_invalid_trace_id_is_replaced(client, given):
    response = client.get('/trace_id', headers={'X-Trace-Id': given})
    assert response.headers['X-Trace-Id'] == response.text != given
    assert len(response.text) == 32


def test_each_request_has_its_own_context(client):
    trace.set_id('mine')
    first, second = client.get('/trace_id').text, client.get('/trace_id').text
    assert len({first, second, 'mine'}) == 3
    assert trace.get_id() == 'mine'


def test_body_is_produced_in_the_context_of_its_request(client):
    response = client.get('/stream', headers={'X-Trace-Id': 'abc'})
    assert response.text == 'abcanother'


def test_path_cannot_forge_log_lines(client, caplog):
    with caplog.at_level(logging.INFO):
        client.get('/hello/a%0d%0ab%1b[2J\u202e/')
        client.get('/fail?%0d%0a')
        client.get('/' + 'a' * 5000)
        client.get('/hello/a/', environ_base={'REMOTE_ADDR': '\x9b2J' * 1000})
    (first, *_) = [r.getMessage().split(' in ')[0] for r in caplog.records]
    assert first == '- GET /hello/a\\r\\nb\\x1b[2J\\u202e/ 200'
    assert all(r.getMessage().isprintable() and len(r.getMessage()) < 500 for r in caplog.records)


class Unspeakable(BaseException):
    def __str__(self):
        raise SystemExit(3)

    def __repr__(self):
        return 'Unspeakable()'


def _groups():
    group = getattr(builtins, 'BaseExceptionGroup', None)  # from Python 3.11 on
    return [] if group is None else [group('secret', [SystemExit()])]


ERRORS = [
    SystemExit(0), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError(),
    gevent.Timeout(5), gevent.GreenletExit(), Unspeakable(), StopIteration(1),
    ValueError('\udcff secret'), OSError(32, 'secret'),
    *_groups(),
]  # fmt: skip


@pytest.mark.parametrize('path', ['/raising', '/late'])
@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize('accept', ['application/json', 'text/html'])
@pytest.mark.parametrize('debug', [False, True])
def test_any_exception_of_a_handler_gives_one_answer_and_one_report(
    client, site, path, error, accept, debug
):
    site.error, site.debug = error, debug
    response = client.get(path, headers={'Accept': accept, 'X-Trace-Id': 'abc-1'})
    kind = 'application/problem+json' if accept == 'application/json' else accept
    assert (response.status_code, response.mimetype) == (500, kind)
    assert response.headers['X-Trace-Id'] == 'abc-1'
    assert 'abc-1' in response.text
    assert ('secret' in response.text) <= debug
    (reported,) = site.reported
    assert reported is error or isinstance(reported, RuntimeError)  # a generator's StopIteration


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_answer_that_fails_after_its_first_byte_is_aborted_and_reported_once(client, site, error):
    site.error = error
    with pytest.raises(AnswerAborted):
        client.get('/later', buffered=True)
    assert len(site.reported) == 1


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
def test_error_after_the_answer_is_reported_and_changes_nothing(client, site, error):
    site.error = error
    assert client.get('/closing', buffered=True).text == 'a'
    assert site.reported == [error]


def test_failing_report_does_not_change_the_answer(client, site):
    def report(error):
        raise SystemExit(1)

    site.report_error = report
    assert client.get('/fail').status_code == 500


def test_killed_request_gets_no_answer(client, site):
    site.error = Killed()
    for path in ('/raising', '/late', '/later'):
        with pytest.raises(Killed):
            client.get(path, buffered=True)
    assert site.reported == []


class Odd(HTTPException):
    code = 799


class OddText(HTTPException):
    code = 409

    @property
    def description(self):
        raise SystemExit(1)

    @description.setter
    def description(self, value): ...


class OddHeaders(HTTPException):
    code = 409

    def get_headers(self, *args):
        return [('X-A', 'b\r\nc: d')]


class OddResponse(HTTPException):
    code = 302

    def get_response(self, *args):
        raise SystemExit(1)


class NoNumber(HTTPException):
    code = 'teapot'


@pytest.mark.parametrize(
    ('error', 'status'),
    [
        (Odd(), 500),
        (OddText(), 500),
        (OddHeaders('text'), 409),
        (OddResponse(), 500),
        (NoNumber(), 500),
        (NotFound('\udcff'), 404),
        (NotFound(Unspeakable()), 404),
        (HTTPException(response=Response('own', 999)), 500),
        (HTTPException(response='no response'), 500),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else type(value).__name__,
)
@pytest.mark.parametrize('path', ['/raising', '/late'])
def test_unusual_http_exceptions_are_answered(client, site, error, status, path):
    site.error = error
    response = client.get(path)
    assert response.status_code == status
    assert response.json['trace_id'] == response.headers['X-Trace-Id']


@pytest.mark.parametrize('path', ['/raising', '/late'])
def test_response_may_be_raised_at_any_point_before_the_first_byte(client, site, path):
    site.error = HTTPException(response=Response('mine', 299))
    response = client.get(path)
    assert (response.status_code, response.text) == (299, 'mine')
    assert site.reported == []


@pytest.mark.parametrize(
    'answer',
    [
        None, 5, iter(['text']), Response, object(), True, {1, 2},
        Response('a', status=42), Response('a', status='6o6 odd'), Response('a', status=1000),
        Response([1, 2]), Response(iter([1])), Response('a', headers={'X-A': '\u20ac'}),
        lambda: None, lambda environ, start: None, lambda environ, start: [b'a'],
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_invalid_response_is_an_error_and_reported(client, site, answer):
    site.answer = answer
    response = client.get('/given')
    assert response.status_code == 500
    assert response.json['trace_id'] == response.headers['X-Trace-Id']
    assert len(site.reported) == 1


def test_failing_request_class_is_answered_with_an_error(client, site):
    class Failing(Request):
        def __init__(self, environ):
            raise SystemExit(1)

    site.request_class = Failing
    assert client.get('/echo').json['status'] == 500


def test_requests_are_logged_except_health_checks(client, caplog):
    with caplog.at_level(logging.INFO, 'lymph.web.access'):
        client.get('/hello/you/')
        client.get('/_health/')
    [line] = [record.getMessage() for record in caplog.records]
    assert re.fullmatch(r'- GET /hello/you/ 200 in \d+\.\d ms, 10 bytes', line)


def test_access_log_has_no_bytes_where_no_body_or_an_unknown_one_is_sent(client, site, caplog):
    site.answer = Response(iter(['several', 'parts']))
    with caplog.at_level(logging.INFO, 'lymph.web.access'):
        client.head('/hello/you/')
        client.get('/given')
    assert all(record.getMessage().endswith(' ms') for record in caplog.records)
    assert len(caplog.records) == 2
