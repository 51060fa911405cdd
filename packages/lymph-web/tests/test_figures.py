"""The metrics of HTTP interfaces."""

from __future__ import annotations

import time

import gevent
from gevent.event import Event
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from lymph.core.monitoring.histograms import SECONDS
from lymph.testing.waiting import eventually
from lymph.web.interfaces import WebServiceInterface

WAIT = 10.0  # longer than anything here takes


class Pages(WebServiceInterface):
    url_map = Map([Rule(f'/{name}', endpoint=name) for name in ('page', 'fail', 'hold', 'parts')])

    def __init__(self, *args):
        super().__init__(*args)
        self.go_on = Event()

    def page(self, request):
        return Response('hello')

    def parts(self, request):
        return Response(iter('ab'))

    def fail(self, request):
        raise ValueError

    def hold(self, request):
        self.go_on.wait(WAIT)
        return Response('done')


def figures(web):
    """Return the metrics of HTTP by name, those with a status by that."""
    found = {}
    for name, value, tags in web.interface.container.metrics:
        if name.startswith('http.'):
            assert tags['interface'] == 'web'
            found[tags.get('status', name)] = value
    return found


def test_answers_are_counted_by_status_and_health_checks_are_not(start_interface):
    web = start_interface(Pages)
    assert set(figures(web)) == {
        f'http.{name}'
        for name in (
            *('seconds', 'running', 'waiting', 'refused', 'connections'),
            *('duration.bucket', 'duration.count', 'duration.sum'),
        )
    }
    for path in ('/page', '/page', '/parts', '/fail', '/nowhere', '/_health/'):
        web.ask(path)
    web.client.get('/page')  # under another server, as in tests
    after = figures(web)
    assert {status: after.get(status) for status in ('200', '404', '500', '503')} == {
        '200': 4,
        '404': 1,
        '500': 1,
        '503': None,
    }
    assert 0 < after['http.seconds'] < 6 * WAIT
    assert after['http.duration.sum'] == after['http.seconds']
    assert after['http.duration.count'] == 6


def test_durations_have_the_trace_ids_of_their_requests(start_interface):
    web = start_interface(Pages)
    sent = time.time()
    trace_id = web.ask('/page').headers['x-trace-id']
    buckets = {
        tags['le']: value
        for name, value, tags in web.interface.container.metrics
        if name == 'http.duration.bucket'
    }
    assert (buckets['+Inf'], len(buckets)) == (1, len(SECONDS) + 1)
    (exemplar,) = (count.exemplar for count in buckets.values() if count.exemplar is not None)
    assert exemplar.trace_id == trace_id
    assert 0 < exemplar.value < WAIT
    assert sent - 1 < exemplar.at < time.time() + 1
    first = min(float(bound) for bound, count in buckets.items() if count)
    assert exemplar.value <= first


def test_requests_and_connections_that_are_open_are_told(start_interface):
    web = start_interface(Pages, {'wsgi_pool_size': 1, 'queue_size': 1, 'queue_timeout': WAIT})
    first = gevent.spawn(web.ask, '/hold')
    eventually(lambda: figures(web)['http.running'] == 1)
    second = gevent.spawn(web.ask, '/page')
    eventually(lambda: figures(web)['http.waiting'] == 1)
    assert figures(web)['http.connections'] == 2
    assert web.ask('/page').status == 503
    assert figures(web)['http.refused'] == 1
    web.interface.go_on.set()
    assert [each.get(timeout=WAIT).status for each in (first, second)] == [200, 200]
    names = ('http.running', 'http.waiting', 'http.connections')
    eventually(lambda: not any(figures(web)[name] for name in names))


def test_interface_that_has_stopped_has_no_metrics(start_interface):
    web = start_interface(Pages)
    assert figures(web)
    web.stop()
    assert figures(web) == {}
