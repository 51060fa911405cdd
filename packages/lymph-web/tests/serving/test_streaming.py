"""Answers and bodies that are sent while they are made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from lymph.core.trace import get_id
from lymph.testing.waiting import eventually
from lymph.web._answering.faults import ClientGone
from lymph.web.interfaces import WebServiceInterface

WAIT = 10.0  # longer than anything here takes


class Stream:
    """Answers part by part, each when it may go on; records how it ends."""

    def __init__(self) -> None:
        self.go_on = Event()
        self.made = self.closed = 0

    def __call__(self, environ: Any, start_response: Any) -> Any:
        start_response('200 OK', [])
        return self

    def __iter__(self) -> Any:
        return self

    def __next__(self) -> bytes:
        if self.made:
            assert self.go_on.wait(WAIT)
        self.made += 1
        return b'x' * 10_000

    def close(self) -> None:
        self.closed += 1


def test_each_part_leaves_at_once(start_server, connect):
    stream = Stream()
    client = connect(start_server(stream))
    client.get()
    assert client.file.readline() == b'HTTP/1.1 200 OK\r\n'
    assert stream.made == 1


@pytest.mark.parametrize('way', ['reset', 'close'])
def test_client_that_goes_away_ends_its_answer(start_server, connect, way):
    stream = Stream()
    client = connect(start_server(stream))
    client.get()
    client.file.readline()
    getattr(client, way)()
    stream.go_on.set()
    eventually(lambda: stream.closed, WAIT)
    assert stream.closed == 1


def test_client_that_does_not_read_holds_the_application_back(start_server, connect):
    stream = Stream()
    stream.go_on.set()
    client = connect(start_server(stream))
    client.get()
    client.file.readline()
    made = 0

    def rests() -> bool:
        nonlocal made
        before, made = made, stream.made
        return before == made

    eventually(rests, WAIT)
    client.socket.recv(100_000)
    eventually(lambda: stream.made > made or client.socket.recv(100_000) == b'', WAIT)


def test_client_that_closes_its_side_gets_its_answer(start_server, connect):
    stream = Stream()

    def application(environ: Any, start_response: Any) -> Any:
        start_response('200 OK', [('Content-Length', '20000')])
        return [next(stream), next(stream)]

    client = connect(start_server(application))
    client.get()
    eventually(lambda: stream.made, WAIT)
    client.socket.shutdown(1)
    stream.go_on.set()
    assert len(client.answer().body) == 20_000
    assert client.at_end()


def test_body_that_nobody_reads_is_not_received(start_server, connect):
    go_on = Event()

    def application(environ: Any, start_response: Any) -> Any:
        assert go_on.wait(WAIT)
        data = environ['wsgi.input'].read()
        start_response('200 OK', [])
        return [b'%d' % len(data)]

    server = start_server(application)
    client = connect(server)
    client.get('/', 'Content-Length: 10000000', method='POST')
    sender = gevent.spawn(client.send, b'x' * 10_000_000)
    eventually(lambda: server.links and next(iter(server.links)).buffer, WAIT)
    gevent.sleep(1e-3)
    assert len(next(iter(server.links)).buffer) < 100_000
    assert not sender.ready()
    go_on.set()
    assert client.answer().body == b'10000000'


def test_writing_after_the_end_of_an_answer_is_an_error(start_server, connect):
    kept: list[Any] = []

    def application(environ: Any, start_response: Any) -> Any:
        kept.append(start_response('200 OK', []))
        return [b'hello']

    client = connect(start_server(application))
    client.get()
    assert client.answer().body == b'hello'
    with pytest.raises(ValueError, match='has ended'):
        kept[0](b'more')
    client.get()
    assert client.answer().body == b'hello'


def test_application_that_catches_the_end_of_its_client_cannot_go_on(start_server, connect):
    caught: list[BaseException] = []
    go_on = Event()

    def application(environ: Any, start_response: Any) -> Any:
        write = start_response('200 OK', [])
        write(b'x')
        assert go_on.wait(WAIT)
        for _ in range(100):
            try:
                write(b'x' * 10_000)
            except ClientGone as error:
                caught.append(error)
        return []

    server = start_server(application)
    client = connect(server)
    client.get()
    client.file.readline()
    client.reset()
    go_on.set()
    eventually(lambda: not server.links, WAIT)
    assert len(caught) > 90


class Breaking(WebServiceInterface):
    """Begins an answer, and fails."""

    url_map = Map([Rule('/', endpoint='index')])

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reported: list[BaseException] = []

    def index(self, request: Request) -> Response:
        def parts() -> Iterator[str]:
            yield 'a'
            raise ValueError('torn')

        return Response(parts())

    def report_error(self, error: BaseException) -> None:
        self.reported.append(error)


def test_answer_that_breaks_is_logged_and_reported_once_with_its_trace_id(start_interface, caplog):
    traces = []
    caplog.handler.addFilter(lambda record: traces.append((record.name, get_id())) or True)
    started = start_interface(Breaking)
    assert b'\r\na\r\n' in started.read('/', 'X-Trace-Id: torn-1')
    assert [str(error) for error in started.interface.reported] == ['torn']
    failures = [record for record in caplog.records if record.levelname == 'ERROR']
    assert [record.getMessage() for record in failures] == ['GET / failed']
    assert [id for name, id in traces if name == failures[0].name] == ['torn-1']


class Endless(WebServiceInterface):
    """Streams until it is told to end."""

    url_map = Map([Rule('/', endpoint='index')])

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.stream = Stream()

    def index(self, request: Request) -> Any:
        return self.stream


def test_stop_cuts_a_stream_that_a_drain_waits_for(start_interface):
    started = start_interface(Endless)
    reading = gevent.spawn(started.read, '/')
    eventually(lambda: len(started.interface._server.links) == 1)
    container = started.interface.container
    draining = gevent.spawn(container.drain)
    eventually(lambda: started.interface._server._ended)
    assert container.stop() == 1
    reading.get(timeout=WAIT / 2)
    assert draining.get(timeout=WAIT / 2) == 1  # it is one request, whoever cuts it
    assert started.interface.stream.closed == 1
