"""A bounded number of requests at once: others wait a while, then they are refused."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from gevent.event import Event
from greenlet import greenlet

from lymph.core._loop.deadlines import Expirations
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.testing.waiting import eventually
from lymph.web._http.limits import Limits
from lymph.web._serving.dispatch import Dispatcher
from lymph.web._serving.listening import listen_at_port
from lymph.web._serving.server import WebServer

WAIT = 10.0  # longer than anything here takes


class Slow:
    """Answers when it may go on; counts the requests that have begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if environ['PATH_INFO'] == '/health':
            start_response('200 OK', [])
            return [b'healthy']
        self.begun += 1
        assert self.go_on.wait(WAIT)
        start_response('200 OK', [])
        return [b'done']


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def serve(slow: Slow) -> Any:
    servers = []

    def start(**limits: float) -> WebServer:
        server = WebServer(
            listen_at_port('127.0.0.1', 0),
            slow,
            Limits(**limits),
            is_apart=lambda path: path == '/health',
        )
        server.start()
        servers.append(server)
        return server

    yield start
    slow.go_on.set()
    for server in servers:
        server.finish(0)


def asked(connect: Callable[..., Any], server: WebServer, *fields: str) -> Any:
    client = connect(server)
    client.get('/', *fields)
    return client


def test_request_beyond_the_pool_waits_for_a_place(serve, connect, slow):
    server = serve(wsgi_pool_size=1, queue_timeout=WAIT)
    first = asked(connect, server)
    eventually(lambda: slow.begun == 1, WAIT)
    second, third = asked(connect, server), asked(connect, server)
    eventually(lambda: server.waiting == 2, WAIT)
    assert slow.begun == 1
    slow.go_on.set()
    assert [client.answer().body for client in (first, second, third)] == [b'done'] * 3


def test_free_place_goes_to_the_request_that_has_waited_the_longest():
    go_on, answered = Event(), []
    timers, log = Expirations(), LimitedLog(logging.getLogger(__name__))

    def serve(link: Any, head: Any) -> None:
        answered.append(link)
        assert go_on.wait(WAIT)

    def ask(link: Any) -> None:
        pool.answer(link, SimpleNamespace(path='/', variables={}))

    limits, hub = Limits(wsgi_pool_size=1, queue_timeout=WAIT), gevent.get_hub()
    pool = Dispatcher(limits, timers, log, serve, serve, lambda path: False, hub)
    ask('first')
    ask('second')
    eventually(lambda: answered == ['first'], WAIT)
    go_on.set()
    gevent.spawn(ask, 'third')  # when the first one has ended, in the same turn of the loop
    eventually(lambda: len(answered) == 3, WAIT)
    pool.kill(WAIT)
    timers.close()
    assert answered == ['first', 'second', 'third']


def test_request_that_waits_too_long_is_refused_and_may_be_repeated(serve, connect, slow):
    server = serve(wsgi_pool_size=1, queue_timeout=0.05)
    first = asked(connect, server)
    eventually(lambda: slow.begun == 1, WAIT)
    second = asked(connect, server)
    answer = second.answer()
    assert (answer.status, answer.headers['retry-after'], answer.closes) == (503, '1', False)
    slow.go_on.set()
    assert first.answer().body == b'done'
    second.get()
    assert second.answer().body == b'done'


def test_request_beyond_the_queue_is_refused_at_once(serve, connect, slow, caplog):
    server = serve(wsgi_pool_size=1, queue_size=1, queue_timeout=WAIT)
    asked(connect, server)
    eventually(lambda: slow.begun == 1, WAIT)
    waiting = asked(connect, server)
    eventually(lambda: server.waiting == 1, WAIT)
    assert asked(connect, server).answer().status == 503
    assert 'wsgi_pool_size' in caplog.text
    slow.go_on.set()
    assert waiting.answer().body == b'done'


def test_health_is_answered_while_all_places_are_taken(serve, connect, slow):
    server = serve(wsgi_pool_size=1, queue_size=1, queue_timeout=WAIT)
    asked(connect, server)
    eventually(lambda: slow.begun == 1, WAIT)
    client = connect(server)
    client.get('/h%65alth')
    assert client.answer().body == b'healthy'


def test_client_that_goes_away_frees_its_place_in_the_queue(serve, connect, slow):
    server = serve(wsgi_pool_size=1, queue_timeout=60)
    asked(connect, server)
    eventually(lambda: slow.begun == 1, WAIT)
    second = asked(connect, server)
    eventually(lambda: server.waiting == 1, WAIT)
    second.reset()
    eventually(lambda: server.waiting == 0, WAIT)
    assert slow.begun == 1


def test_idle_connections_take_no_place(serve, connect, slow):
    slow.go_on.set()
    server = serve(wsgi_pool_size=1)
    clients = [asked(connect, server) for _ in range(5)]
    assert [client.answer().closes for client in clients] == [False] * 5


def test_idle_connections_hold_no_greenlet(serve, connect, slow):
    slow.go_on.set()
    server = serve()
    first = asked(connect, server)
    assert first.answer().body == b'done'
    before = greenlets()
    clients = [asked(connect, server) for _ in range(50)]
    assert [client.answer().body for client in clients] == [b'done'] * 50
    eventually(lambda: len(server.idle) == 51, WAIT)
    assert greenlets() <= before + 1


def greenlets() -> int:
    gc.collect()
    return sum(isinstance(each, greenlet) and not each.dead for each in gc.get_objects())


def test_end_of_the_server_ends_requests_that_wait(serve, connect, slow):
    server = serve(wsgi_pool_size=1, queue_timeout=WAIT)
    first = asked(connect, server)
    eventually(lambda: slow.begun == 1, WAIT)
    second = asked(connect, server)
    eventually(lambda: server.waiting == 1, WAIT)
    assert server.finish(0) == 2
    assert first.at_end()
    assert second.at_end()
    assert slow.begun == 1
