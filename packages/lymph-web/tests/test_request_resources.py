"""Resources of HTTP requests are closed when the method has returned, before anything is sent."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from werkzeug.exceptions import abort
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

import lymph
from lymph.core._work.chains import Chains
from lymph.core.interceptors import Interceptor
from lymph.core.resources import unit
from lymph.testing.waiting import eventually
from lymph.web._answering.application import Application
from lymph.web._answering.health import Health


class Site:
    name = 'site'
    request_class = Request
    debug = False
    max_body_size = 100
    url_map = Map(
        Rule(f'/{name}', endpoint=name) for name in ('page', 'missing', 'text', 'stream', 'slow')
    )

    def __init__(self):
        self.health = Health(lambda: True, lambda: False)
        self.log = []
        self.fails = False
        self.begun = Event()

    @lymph.resource
    def session(self):
        self.log.append('open')
        try:
            yield 'session'
        except BaseException as error:
            self.log.append(type(error).__name__)
            raise
        if self.fails:
            raise OSError('commit failed')
        self.log.append('commit')

    def page(self, request):
        return Response(self.session)

    def missing(self, request):
        assert self.session
        abort(404)

    def text(self, request):
        return len(self.session)

    def stream(self, request):
        assert self.session

        def parts():
            self.log.append('stream')
            with unit():
                yield self.session

        return Response(parts())

    def slow(self, request):
        assert self.session
        self.begun.set()
        Event().wait(10)

    def report_error(self, error):
        pass


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def get(site):
    return Client(Application(site)).get


def test_resource_is_closed_when_the_method_has_returned(site, get):
    assert get('/page').get_data(as_text=True) == 'session'
    assert site.log == ['open', 'commit']


def test_error_while_closing_a_resource_is_answered_with_500(site, get):
    site.fails = True
    assert get('/page').status_code == 500


def test_raised_http_error_is_an_error_for_resources(site, get):
    assert get('/missing').status_code == 404
    assert site.log == ['open', 'NotFound']


def test_response_of_a_wrong_type_is_an_error_for_resources(site, get):
    assert get('/text').status_code == 500
    assert site.log == ['open', 'TypeError']


def test_each_streamed_part_has_its_own_unit(site, get):
    assert get('/stream').get_data(as_text=True) == 'session'
    assert site.log == ['open', 'commit', 'stream', 'open', 'commit']


def test_resources_of_requests_killed_in_a_drain_are_closed(site, start_server, connect):
    server = start_server(Application(site))
    connect(server).get('/slow')
    assert site.begun.wait(10)
    assert server.finish(0) == 1
    assert site.log == ['open', 'Killed']


def test_interceptor_of_the_interface_is_part_of_the_unit():
    class Careful(Site, Interceptor):
        def intercept(self, work, proceed):
            self.log.append(f'intercepted {self.session}')
            return proceed()

    careful = Careful()
    answer = Client(Application(careful, Chains().of('http', careful))).get('/page')
    assert answer.get_data(as_text=True) == 'session'
    assert careful.log == ['open', 'intercepted session', 'commit']


def test_resources_of_a_killed_request_finish_closing(site, start_server, connect):
    closing, go_on = Event(), Event()

    workers = []

    def application(environ, start_response):
        workers.append(gevent.getcurrent())
        with unit():
            assert slow.handle is None

    class Slow:
        @lymph.resource
        def handle(self):
            yield
            closing.set()
            go_on.wait(10)
            site.log.append('closed')

    slow = Slow()
    server = start_server(application)
    connect(server).get()
    assert closing.wait(10)
    end = gevent.spawn(server.finish, 0)
    eventually(lambda: workers[0]._held)
    go_on.set()
    assert end.get(timeout=10) == 1
    assert site.log == ['closed']
