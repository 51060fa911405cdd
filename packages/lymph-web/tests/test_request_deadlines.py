"""Deadlines of requests: from the configuration, and from trusted proxies."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.core._loop import deadlines
from lymph.testing.waiting import eventually
from lymph.web._options.deadlines import seconds_in
from lymph.web.interfaces import WebServiceInterface

LONG = 1000.0  # seconds, which no test takes
BEHIND_PROXY = {'trusted_proxies': ['127.0.0.0/8', 'unix']}


class Backend(lymph.Interface):
    @lymph.rpc()
    def remaining(self):
        return deadlines.remaining(LONG)

    @lymph.rpc()
    def nested(self):
        return self.request('backend', 'backend.remaining', timeout=LONG)

    @lymph.rpc(cancel=True)
    def hang(self):
        gevent.sleep(LONG)


class Bounded(lymph.Interceptor, WebServiceInterface):
    kinds = frozenset({'http'})
    url_map = Map(
        [
            Rule('/ask/<method>', endpoint='ask'),
            *[
                Rule(f'/{name}', endpoint=name)
                for name in ('defer', 'late', 'stream', 'spawned', 'hold', 'arrived')
            ],
        ]
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.works = []
        self.holding, self.go_on = False, Event()

    def intercept(self, work, proceed):
        self.works.append(work)
        return proceed()

    def ask(self, request, method):
        return Response(str(self.request('backend', f'backend.{method}', timeout=LONG)))

    def defer(self, request):
        backend = self.proxy('backend').with_options(timeout=LONG)
        return Response(str(backend.remaining.defer().get()))

    def spawned(self, request):
        return Response(str(self.spawn(deadlines.remaining, LONG).get()))

    @property
    def waiting(self):
        return self._server.waiting

    def arrived(self, request):
        return Response(str('lymph.arrived' in request.environ))

    def hold(self, request):
        self.holding = True
        self.go_on.wait(LONG)
        return self.arrived(request)

    def late(self, request):
        eventually(lymph.given_up)
        return Response('done')

    def stream(self, request):
        def parts():
            yield 'a'
            eventually(lymph.given_up)
            yield 'b'

        return Response(parts())


@pytest.fixture
def serve(start_interface):
    return lambda keys: start_interface(Bounded, keys, Backend)


@pytest.mark.parametrize('path', ['/ask/remaining', '/ask/nested', '/defer'])
def test_calls_get_the_time_that_the_request_has_left(serve, path):
    web = serve({'timeout': 60})
    assert 0 < float(web.client.get(path).text) <= 60
    (work,) = web.interface.works
    assert 0 < work.deadline - time.monotonic() <= 60


def test_time_is_not_limited_by_default(serve):
    web = serve({})
    assert 60 < float(web.client.get('/ask/remaining').text) <= LONG
    assert web.interface.works[0].deadline is None


def test_spawned_greenlet_has_no_deadline(serve):
    assert float(serve({'timeout': 60}).client.get('/spawned').text) == LONG


def test_call_that_waits_until_the_deadline_is_answered_with_504(serve):
    web = serve({'timeout': 0.1})
    assert web.client.get('/ask/hang').status_code == 504
    assert web.ask('/ask/hang').status == 504


def test_method_is_not_ended_and_can_ask_whether_the_time_is_over(serve):
    client = serve({'timeout': 0.1}).client
    assert client.get('/late').text == 'done'
    assert client.get('/stream').text == 'ab'


def test_time_in_which_a_request_waited_for_its_turn_counts(serve):
    web = serve({'timeout': 60})
    ago = {'lymph.arrived': time.monotonic() - 40}
    assert float(web.client.get('/ask/remaining', environ_overrides=ago).text) <= 20
    ago = {'lymph.arrived': time.monotonic() - 61}
    assert web.client.get('/ask/remaining', environ_overrides=ago).status_code == 504
    assert len(web.interface.works) == 1
    assert web.client.get('/_health/', environ_overrides=ago).status_code == 200


def test_server_says_when_a_request_arrived_that_had_to_wait(serve):
    web = serve({'timeout': 60, 'wsgi_pool_size': 1, 'queue_timeout': 60})
    first = gevent.spawn(web.ask, '/hold')
    eventually(lambda: web.interface.holding)
    second = gevent.spawn(web.ask, '/arrived')
    eventually(lambda: web.interface.waiting)
    web.interface.go_on.set()
    assert first.get(timeout=10.0).body == b'False'
    assert second.get(timeout=10.0).body == b'True'


def test_request_does_not_wait_for_its_turn_until_after_its_deadline(serve):
    web = serve({'timeout': 0.1, 'wsgi_pool_size': 1, 'queue_timeout': LONG})
    first = gevent.spawn(web.ask, '/hold')
    eventually(lambda: web.interface.holding)
    refused = web.ask('/arrived')
    assert (refused.status, 'retry-after' in refused.headers) == (503, True)
    web.interface.go_on.set()
    first.get(timeout=10.0)


@pytest.mark.parametrize(
    ('timeout', 'said', 'least', 'most'),
    [
        (60, '30', 0, 30),
        (60, '0.5', 0, 0.5),
        (60, '600', 30, 60),
        (None, '30', 0, 30),
        *[(60, said, 30, 60) for said in ('', '-1', 'x', '1e3', '0x1', 'nan', '1,2', '\u0661')],
    ],
)
def test_trusted_proxy_shortens_the_time_but_never_lengthens_it(serve, timeout, said, least, most):
    client = serve({**BEHIND_PROXY, 'timeout': timeout}).client
    fields = {'X-Request-Timeout': said.encode().decode('latin-1')}
    assert least < float(client.get('/ask/remaining', headers=fields).text) <= most


def test_request_that_has_no_time_left_does_not_run(serve):
    web = serve(BEHIND_PROXY)
    assert web.client.get('/late', headers={'X-Request-Timeout': '0'}).status_code == 504
    assert web.interface.works == []


def test_time_that_other_clients_ask_for_is_ignored(serve):
    fields = {'X-Request-Timeout': '0'}
    assert serve({'timeout': 60}).client.get('/ask/remaining', headers=fields).status_code == 200
    other = {'REMOTE_ADDR': '203.0.113.9'}
    client = serve({'timeout': 60, **BEHIND_PROXY}).client
    response = client.get('/ask/remaining', headers=fields, environ_overrides=other)
    assert response.status_code == 200


def test_name_of_the_header_field_can_be_chosen(serve):
    client = serve({**BEHIND_PROXY, 'timeout_header': 'X-Time-Left'}).client
    fields = {'X-Time-Left': '30', 'X-Request-Timeout': '20'}
    assert 20 < float(client.get('/ask/remaining', headers=fields).text) <= 30


def test_interface_can_let_every_client_shorten_the_time(serve, monkeypatch):
    monkeypatch.setattr(Bounded, 'clients_shorten_deadlines', True)
    client = serve({}).client
    response = client.get('/ask/remaining', headers={'X-Request-Timeout': '30'})
    assert float(response.text) <= 30


@pytest.mark.parametrize(('text', 'seconds'), [(' 1.50 ', 1.5), ('007', 7.0), ('1.', None)])
def test_seconds_are_a_plain_number(text, seconds):
    assert seconds_in(text) == seconds
