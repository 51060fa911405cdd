"""One request in, one answer out."""

from __future__ import annotations

import logging

import pytest
from werkzeug.exceptions import HTTPException, abort
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from lymph.core import trace
from lymph.exceptions import LookupFailure, RemoteError
from lymph.web.application import Application
from lymph.web.health import Health


class Site:
    url_map = Map(
        [
            Rule('/hello/<name>/', endpoint='hello', methods=['GET']),
            *[
                Rule(f'/{name}', endpoint=name)
                for name in (
                    'echo', 'text', 'fail', 'away', 'remote', 'stop', 'own', 'moved', 'trace_id',
                    'stream', 'http_error',
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

    def report(self, error):
        self.reported.append(error)

    def hello(self, request, name):
        return Response(f'hello {name}!')

    def echo(self, request):
        return Response(request.get_data())

    def text(self, request):
        return 'hello'

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


def test_the_url_decides_the_method_and_gives_its_arguments(client):
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


def test_a_wrong_method_is_told_the_right_ones(client):
    assert 'GET' in client.post('/hello/you/').headers['Allow']


def test_a_browser_gets_its_errors_as_html(client):
    assert client.get('/nowhere', headers={'Accept': 'text/html'}).mimetype == 'text/html'


def test_an_answer_that_the_handler_made_is_kept(client):
    response = client.get('/own')
    assert (response.text, response.headers['X-Mine']) == ('mine', '1')
    assert client.get('/moved').location == '/hello/you/'
    assert client.get('/hello/you').status_code == 308


def test_only_errors_that_nobody_expected_are_reported(client, site):
    for path in ('/nowhere', '/stop', '/away'):
        client.get(path)
    assert site.reported == []
    for path in ('/fail', '/remote', '/text'):
        client.get(path)
    assert [type(error).__name__ for error in site.reported] == [
        'ValueError', 'KeyError', 'TypeError',
    ]  # fmt: skip


def test_a_method_that_returns_no_answer_is_named(client, site):
    client.get('/text')
    message = 'expected Site.text to return a werkzeug Response, found str'
    assert str(site.reported[0]) == message


def test_debug_mode_shows_the_traceback(client, site):
    site.debug = True
    assert any('secret' in line for line in client.get('/fail').json['traceback'])


def test_the_health_endpoint_comes_before_the_rules(client, site):
    assert client.get('/_health/').json == {'status': 'healthy'}
    site.health = Health(lambda: True, lambda: False, enabled=False)
    assert client.get('/_health/').status_code == 500


def test_a_trace_id_that_comes_in_goes_to_the_handler_and_back(client):
    response = client.get('/trace_id', headers={'X-Trace-Id': 'abc-123'})
    assert response.text == response.headers['X-Trace-Id'] == 'abc-123'


@pytest.mark.parametrize('given', ['', 'a b', 'x' * 129, 'ä', 'a;b'])
def test_what_cannot_be_a_trace_id_is_replaced(client, given):
    response = client.get('/trace_id', headers={'X-Trace-Id': given})
    assert response.headers['X-Trace-Id'] == response.text != given
    assert len(response.text) == 32


def test_each_request_has_a_context_of_its_own(client):
    trace.set_id('mine')
    first, second = client.get('/trace_id').text, client.get('/trace_id').text
    assert len({first, second, 'mine'}) == 3
    assert trace.get_id() == 'mine'


def test_the_parts_of_an_answer_are_made_in_its_context(client):
    response = client.get('/stream', headers={'X-Trace-Id': 'abc'})
    assert response.text == 'abcanother'


def test_requests_are_logged_but_not_those_for_the_health(client, caplog):
    with caplog.at_level(logging.INFO, 'lymph.web.access'):
        client.get('/hello/you/')
        client.get('/_health/')
    assert [r.getMessage().split(' in ')[0] for r in caplog.records] == ['- GET /hello/you/ 200']
