"""What is read from a response itself is what it answers as a WSGI application."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.routing import Map, Rule
from werkzeug.test import create_environ, run_wsgi_app
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from lymph.web._answering.maps import bind
from lymph.web._answering.whole import whole_response


class Own(Response):
    """A subclass that overrides nothing that matters."""

    default_mimetype = 'text/html'


class Corrected(Response):
    def get_wsgi_headers(self, environ: Any) -> Any:
        headers = super().get_wsgi_headers(environ)
        headers['X-Own'] = 'own'
        return headers


class Lengthless(Response):
    automatically_set_content_length = False


def many_fields() -> Response:
    response = Response('x', headers=[('X-A', '1'), ('X-A', '2')], mimetype='text/csv')
    response.set_cookie('session', '1')
    response.vary.add('Accept')
    return response


def replaced() -> Response:
    response = Response('first')
    response.data = 'the second'
    return response


def to_be_closed() -> Response:
    response = Response('x')
    response.call_on_close(bool)
    return response


@pytest.mark.parametrize(
    'make',
    [
        lambda: Response('text'),
        lambda: Response(b'bytes', 404),
        lambda: Response('', '299 Own'),
        lambda: Own('<p>'),
        many_fields,
        replaced,
    ],
)
def test_ordinary_response_is_read_as_it_would_answer(make: Callable[[], Response]) -> None:
    environ = create_environ()
    whole = whole_response(make(), environ)
    assert whole is not None
    opening, parts = whole
    body, status, headers = run_wsgi_app(make(), environ)
    assert (opening.status, opening.fields) == (status, headers.to_wsgi_list())
    assert b''.join(parts) == b''.join(body)


@pytest.mark.parametrize(
    'response',
    [
        Response(),
        Response(['one', 'two']),
        Response(iter(['streamed'])),
        Response('x', 204),
        Response('x', 304),
        Response('x', headers={'Content-Location': '/\xe4'}),
        Corrected('x'),
        Lengthless('x'),
        redirect('/elsewhere'),
        to_be_closed(),
        lambda environ, start_response: [],
    ],
)
def test_any_other_response_is_called_as_an_application(response: Any) -> None:
    assert whole_response(response, create_environ()) is None


def test_response_to_head_is_called() -> None:
    assert whole_response(Response('x'), create_environ(method='HEAD')) is None


@pytest.mark.parametrize('method', ['GET', 'POST'])
@pytest.mark.parametrize('scheme', ['http', 'https'])
@pytest.mark.parametrize(
    'host',
    ['example.org', 'Example.ORG:80', 'a.example.org:443', '[::1]:8080', 'b\xfccher.example', 'a b',
     '', 'x' * 300],
)  # fmt: skip
@pytest.mark.parametrize('path', ['/hello', '//hello', '', '/h\xc3\xa4llo'])
def test_map_is_bound_as_werkzeug_binds_it(method: str, scheme: str, host: str, path: str) -> None:
    environ = create_environ(path='/', query_string='a=b', method=method)
    environ.update({'HTTP_HOST': host, 'PATH_INFO': path, 'wsgi.url_scheme': scheme})
    url_map = Map([Rule('/hello', endpoint='hello')])
    assert _bound(bind, url_map, environ) == _bound(Map.bind_to_environ, url_map, environ)


def test_map_that_binds_itself_is_asked() -> None:
    class Own(Map):
        def bind(self, *args: Any, **keywords: Any) -> Any:
            raise LookupError

        def bind_to_environ(self, *args: Any, **keywords: Any) -> Any:
            raise LookupError

    with pytest.raises(LookupError):
        bind(Own(), Request.from_values().environ)


def _bound(bind_one: Callable[..., Any], url_map: Map, environ: dict[str, Any]) -> Any:
    try:
        return vars(bind_one(url_map, environ))
    except Exception as error:  # noqa: BLE001 - whatever werkzeug raises
        return type(error)
