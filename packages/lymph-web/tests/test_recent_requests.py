"""HTTP requests among the recent units of work, and what they cause."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Flag
from werkzeug.exceptions import abort
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.core.monitoring.traces import find_trace
from lymph.testing.waiting import eventually
from lymph.web.interfaces import WebServiceInterface

ID = '4bf92f3577b34da6a3ce929d0e0e4736'
FIELDS = {'X-Trace-Id': ID}


class Shop(WebServiceInterface):
    url_map = Map(
        [
            Rule(f'/{name}', endpoint=name)
            for name in ('order', 'parts', 'fail', 'gone', 'hang')
        ]
    )  # fmt: skip

    def __init__(self, *args):
        super().__init__(*args)
        self.entered, self.gate = Flag(), Flag()

    @lymph.rpc()
    def take(self):
        pass

    def order(self, request):
        self.request(self.container.endpoint, f'{self.name}.take', {})
        self.emit('ordered', {})
        return Response('taken')

    def parts(self, request):
        def body():
            yield 'a'
            self.request(self.container.endpoint, f'{self.name}.take', {})
            yield 'b'

        return Response(body())

    def fail(self, request):
        raise ValueError

    def gone(self, request):
        abort(410)

    def hang(self, request):
        self.entered.set()
        self.gate.wait()
        return Response('at last')


@pytest.fixture
def hosted(start_interface):
    return start_interface(Shop)


def told(hosted):
    found = find_trace(hosted.interface.container, ID)
    return [(unit.depth, unit.kind, unit.name, unit.outcome) for unit in found.units]


def test_request_is_the_root_of_what_it_causes(hosted):
    assert hosted.client.get('/order?secret=1', headers=FIELDS).text == 'taken'
    take = f'{hosted.interface.name}.take'
    assert told(hosted) == [
        (0, 'http', 'GET /order', '200'),
        (1, 'call', take, 'ok'),
        (2, 'rpc', take, 'ok'),
        (1, 'emit', 'ordered', 'ok'),
    ]


def test_call_that_is_made_while_the_answer_is_sent_belongs_to_its_request(hosted):
    assert hosted.client.get('/parts', headers=FIELDS).text == 'ab'
    assert [row[:2] for row in told(hosted)] == [(0, 'http'), (1, 'call'), (2, 'rpc')]


@pytest.mark.parametrize(
    ('path', 'status', 'ok'), [('/fail', '500', False), ('/gone', '410', True), ('/x', '404', True)]
)
def test_answer_fails_if_the_server_is_to_blame(hosted, path, status, ok):
    hosted.client.post(path, headers=FIELDS)
    (unit,) = find_trace(hosted.interface.container, ID).units
    assert (unit.name, unit.outcome, unit.ok, unit.peer) == (
        f'POST {path}',
        status,
        ok,
        hosted.interface.name,
    )


def test_request_that_hangs_is_told_while_it_runs(hosted):
    asking = gevent.spawn(hosted.client.get, '/hang', headers=FIELDS)
    assert hosted.interface.entered.wait(5)
    assert told(hosted) == [(0, 'http', 'GET /hang', 'running')]
    hosted.interface.gate.set()
    asking.get()
    eventually(lambda: told(hosted) == [(0, 'http', 'GET /hang', '200')])


def test_health_checks_take_no_place(hosted):
    assert hosted.client.get('/_health/', headers=FIELDS).status_code == 200
    assert told(hosted) == []


def test_path_is_shown_as_its_client_wrote_it_and_bounded(hosted):
    hosted.client.get('/b%C3%BCcher', headers=FIELDS)
    hosted.client.get('/' + 'a' * 1000, headers=FIELDS)
    assert [row[2] for row in told(hosted)] == ['GET /bücher', 'GET /' + 'a' * 199]


def test_requests_are_not_kept_with_a_keep_of_0(start_interface):
    container = {
        'registry': {'class': 'static'},
        'events': {'class': 'null'},
        'rpc': {'transport': 'memory'},
        'trace': {'keep': 0},
    }
    hosted = start_interface(Shop, container=container)
    assert hosted.client.get('/order', headers=FIELDS).text == 'taken'
    assert told(hosted) == []
