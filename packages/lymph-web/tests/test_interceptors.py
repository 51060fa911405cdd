"""Interceptors around HTTP requests: what they see, change, refuse and hear."""

from __future__ import annotations

import pytest
from gevent.event import Event
from werkzeug.exceptions import abort
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

import lymph
from lymph.core._work.chains import Chains
from lymph.core.interceptors import Interceptor
from lymph.web._answering.application import Application
from lymph.web._answering.health import Health


class Site:
    name = 'site'
    request_class = Request
    debug = False
    max_body_size = 100
    url_map = Map(
        [
            Rule('/hello/<name>', endpoint='hello'),
            Rule('/fail', endpoint='fail'),
            Rule('/away', endpoint='away'),
            Rule('/teapot', endpoint='teapot'),
            Rule('/text', endpoint='text'),
            Rule('/slow', endpoint='slow'),
            Rule('/old', redirect_to='/hello/you'),
        ]
    )

    def __init__(self):
        self.health = Health(lambda: True, lambda: False)
        self.reported = []
        self.begun = Event()
        self.called = []

    def hello(self, request, name):
        self.called.append(name)
        return Response(f'hello {name}')

    def fail(self, request):
        raise ValueError('secret')

    def away(self, request):
        raise lymph.Refused('by the stock at 10.0.0.7', 'overloaded', endpoint='tcp://10.0.0.7:1')

    def teapot(self, request):
        abort(418)

    def text(self, request):
        return 5

    def slow(self, request):
        self.begun.set()
        Event().wait(30)

    def report_error(self, error):
        self.reported.append(error)


class Watching(Interceptor):
    def __init__(self, function):
        self.function = function
        self.works, self.heard = [], []

    def intercept(self, work, proceed):
        self.works.append(work)
        try:
            result = self.function(work, proceed)
        except BaseException as error:
            self.heard.append(type(error).__name__)
            raise
        self.heard.append(type(result).__name__)
        return result


def going_on(work, proceed):
    return proceed()


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def chains():
    return Chains()


@pytest.fixture
def watch(chains):
    """Adds an interceptor and returns it."""

    def watch(function=going_on):
        watching = Watching(function)
        chains.add(watching)
        return watching

    return watch


@pytest.fixture
def application(site, chains):
    return Application(site, chains.of('http', site))


@pytest.fixture
def get(application):
    return Client(application).get


@pytest.mark.parametrize(
    ('path', 'status', 'heard', 'name'),
    [
        ('/hello/you', 200, 'Response', 'site.hello'),
        ('/fail', 500, 'ValueError', 'site.fail'),
        ('/away', 503, 'Refused', 'site.away'),
        ('/teapot', 418, 'ImATeapot', 'site.teapot'),
        ('/text', 500, 'TypeError', 'site.text'),
        ('/nowhere', 404, 'NotFound', 'site'),
        ('/old', 308, 'RequestRedirect', 'site'),
    ],
)
def test_interceptors_see_the_outcome_of_each_request(watch, get, path, status, heard, name):
    watching = watch()
    assert get(path).status_code == status
    assert watching.heard == [heard]
    assert watching.works[0].name == name


@pytest.mark.parametrize(
    ('path', 'status', 'route'),
    [
        ('/hello/you', 200, '/hello/<name>'),
        ('/fail', 500, '/fail'),
        ('/away', 503, '/away'),
        ('/teapot', 418, '/teapot'),
        ('/nowhere', 404, None),
        ('/old', 308, None),
    ],
)
def test_interceptors_learn_the_status_and_the_rule_of_each_request(
    watch, get, path, status, route
):
    learned = []

    def learning(work, proceed):
        try:
            outcome = proceed()
        except BaseException as error:
            learned.append((work.status_of(error), work.route))
            raise
        learned.append((work.status_of(outcome), work.route))
        return outcome

    watch(learning)
    assert get(path).status_code == status
    assert learned == [(status, route)]


def test_interceptors_learn_the_status_of_a_refusal(watch, get):
    learned = []

    def learning(work, proceed):
        try:
            return proceed()
        except lymph.Refused as error:
            learned.append(work.status_of(error))
            raise

    def refusing(work, proceed):
        raise lymph.Refused('not you')

    watch(learning)
    watch(refusing)
    assert get('/hello/you').status_code == 403
    assert learned == [403]


def test_interceptor_sees_the_request(watch, get):
    watching = watch()
    response = get(
        '/hello/you?x=1',
        headers={'X-Trace-Id': 'mine', 'X-Api-Key': 'k'},
        environ_overrides={'REMOTE_ADDR': '127.0.0.1'},
    )
    work = watching.works[0]
    assert (work.kind, work.interface, work.peer) == ('http', 'site', '127.0.0.1')
    assert work.arguments == {'name': 'you'}
    assert work.request.args['x'] == '1'
    assert work.trace_id == response.headers['X-Trace-Id'] == 'mine'
    assert work.headers['x-api-key'] == work.headers['X-Api-Key'] == 'k'
    assert 'x-other' not in work.headers
    with pytest.raises(TypeError, match='have arrived'):
        work.headers['x'] = 'y'


def test_arguments_answer_and_headers_can_be_changed(watch, get):
    def change(work, proceed):
        work.arguments['name'] = 'me'
        work.reply_headers['X-Mine'] = 'yes'
        work.reply_headers['Content-Language'] = 'en'
        response = proceed()
        response.set_data(response.get_data(as_text=True) + '!')
        response.headers['Content-Language'] = 'de'
        return response

    watch(change)
    response = get('/hello/you')
    assert response.text == 'hello me!'
    assert response.headers.getlist('X-Mine') == ['yes']
    assert response.headers.getlist('Content-Language') == ['en']


def test_added_headers_are_sent_with_errors_too(watch, get):
    def change(work, proceed):
        work.reply_headers['X-Mine'] = 'yes'
        return proceed()

    watch(change)
    assert get('/fail').headers['X-Mine'] == get('/nowhere').headers['X-Mine'] == 'yes'


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('X-A', 'a\r\nX-B: c'),
        ('X A', 'a'),
        ('X-A', 1),
        ('Content-Length', '1'),
        ('X-Trace-Id', 'a'),
    ],
)
def test_header_that_cannot_be_sent_is_refused_when_it_is_set(watch, get, name, value):
    def change(work, proceed):
        work.reply_headers[name] = value

    watching = watch(change)
    assert get('/hello/you').status_code == 500
    assert watching.heard == ['ValueError']


@pytest.mark.parametrize(
    ('refused', 'status'),
    [
        (lymph.Refused('not you'), 403),
        (lymph.Refused('not you', 'my own'), 403),
        (lymph.Refused('not you', 'invalid_arguments'), 400),
        (lymph.Refused('not you', 'unknown_method'), 404),
        (lymph.Refused('not you', 'overloaded'), 503),
        (lymph.Refused('not you', 'expired'), 504),
    ],
)
def test_status_of_a_refusal_by_an_interceptor_follows_from_its_reason(
    watch, get, site, refused, status
):
    def refuse(work, proceed):
        raise refused

    watch(refuse)
    response = get('/hello/you')
    assert (response.status_code, response.json['message']) == (status, 'not you')
    assert ('Retry-After' in response.headers) == (status == 503)
    assert site.called == site.reported == []


def test_refusal_of_another_service_is_not_shown_to_the_client(watch, get):
    def ask(work, proceed):
        raise lymph.Refused('secret', 'forbidden', endpoint='tcp://10.0.0.7:4')

    watch(ask)
    response = get('/hello/you')
    assert (response.status_code, 'secret' in response.text) == (503, False)


def test_interceptor_answers_instead_of_the_method(watch, get, site):
    watch(lambda work, proceed: Response('cached'))
    assert get('/hello/you').text == get('/nowhere').text == 'cached'
    assert site.called == []


def test_interceptor_that_returns_no_valid_response_is_an_error(watch, get, site):
    watch(lambda work, proceed: None)
    assert get('/hello/you').status_code == 500
    assert 'the interceptors of site to return' in str(site.reported[0])


@pytest.mark.parametrize('kind', [ValueError, SystemExit, GeneratorExit])
def test_error_raised_by_an_interceptor_is_answered_and_reported(watch, get, site, kind):
    def fail(work, proceed):
        proceed()
        raise kind('oops')

    watch(fail)
    assert get('/hello/you').status_code == 500
    assert [type(error) for error in site.reported] == [kind]


def test_health_check_is_not_intercepted(watch, get):
    def refuse(work, proceed):
        raise lymph.Refused('nobody')

    watch(refuse)
    assert get('/_health/').status_code == 200


def test_interceptors_see_requests_killed_in_a_drain(
    watch, site, application, start_server, connect
):
    def swallow(work, proceed):
        try:
            return proceed()
        except BaseException as error:  # noqa: BLE001 - the test is about this
            inner.append(type(error).__name__)
            return Response('swallowed')

    inner = []
    outer = watch()
    watch(swallow)
    server = start_server(application)
    connect(server).get('/slow')
    assert site.begun.wait(10)
    assert server.finish(0) == 1
    assert inner == outer.heard == ['Killed']
