"""What WSGI (PEP 3333) demands of a server, checked by the standard library."""

from __future__ import annotations

import gc
import weakref
from typing import Any
from wsgiref.validate import validator

import pytest
from werkzeug.wrappers import Request, Response

from lymph.testing.waiting import eventually


@pytest.mark.parametrize('framing', ['Content-Length: 6', 'Transfer-Encoding: chunked'])
def test_server_keeps_to_pep_3333(start_server, connect, framing):
    @validator
    def application(environ: Any, start_response: Any) -> Any:
        stream = environ['wsgi.input']
        data = stream.read(1) + stream.readline() + b''.join(stream.readlines(10))
        environ['wsgi.errors'].write('a line\n')
        environ['wsgi.errors'].flush()
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [data + stream.read(100)]

    client = connect(start_server(application))
    for _ in range(2):
        client.get('/a/b?c=d', framing, method='POST')
        client.send(b'a\nb\ncd' if 'Length' in framing else b'6\r\na\nb\ncd\r\n0\r\n\r\n')
        answer = client.answer()
        assert (answer.status, answer.body) == (200, b'a\nb\ncd')


def test_errors_that_an_application_writes_are_logged(start_server, connect, caplog):
    def application(environ: Any, start_response: Any) -> Any:
        environ['wsgi.errors'].writelines(['one\x1b[2J\ntwo\n', '\n', 'three'])
        start_response('200 OK', [])
        return []

    client = connect(start_server(application))
    client.get()
    client.answer()
    texts = [record.getMessage() for record in caplog.records]
    assert texts == ['one\\x1b[2J', 'two', 'three']


def test_answered_request_is_freed_without_a_garbage_collection(start_server, connect):
    requests: list[weakref.ref[Request]] = []

    def application(environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        requests.append(weakref.ref(request))
        return Response(request.path)(environ, start_response)

    client = connect(start_server(application))
    gc.disable()
    try:
        client.get('/a')
        assert client.answer().body == b'/a'
        eventually(lambda: requests[0]() is None)
    finally:
        gc.enable()
