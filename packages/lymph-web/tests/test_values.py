"""What methods may return, and the responses that it becomes."""

from __future__ import annotations

import datetime
from http import HTTPStatus

import pytest
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotFound
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from lymph.web._answering.values import application_of

HTML = 'text/html; charset=utf-8'


def sent(value, status=200):
    """Return status, media type and body of the answer, and its headers."""
    environ = {'REQUEST_METHOD': 'GET', 'wsgi.url_scheme': 'http', 'HTTP_HOST': 'a'}
    parts, line, headers = run_wsgi_app(application_of(value, 'Shop.page', status), environ)
    return (line[:3], headers.get('Content-Type'), b''.join(parts)), headers


@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (Response('a'), ('200', 'text/plain; charset=utf-8', b'a')),
        ('<p>ö</p>', ('200', HTML, '<p>ö</p>'.encode())),
        (b'a', ('200', HTML, b'a')),
        ('', ('200', HTML, b'')),
        ({'a': [1, None]}, ('200', 'application/json', b'{"a": [1, null]}\n')),
        ([], ('200', 'application/json', b'[]\n')),
        (
            {'day': datetime.date(2026, 1, 2), 'set': {1}},
            ('200', 'application/json', b'{"day": "2026-01-02", "set": [1]}\n'),
        ),
        (('a', 201), ('201', HTML, b'a')),
        (('a', HTTPStatus.CREATED), ('201', HTML, b'a')),
        (('a', '299 Odd'), ('299', HTML, b'a')),
        (('a', {'Content-Type': 'text/css'}), ('200', 'text/css', b'a')),
        (({'a': 1}, 201, {'X-A': '1'}), ('201', 'application/json', b'{"a": 1}\n')),
        (('a', 201, None), ('201', HTML, b'a')),
        ((Response('a', 202), {'X-A': '1'}), ('202', 'text/plain; charset=utf-8', b'a')),
        ((Response('a', 202), 203), ('203', 'text/plain; charset=utf-8', b'a')),
    ],
    ids=repr,
)
def test_value_becomes_a_response(value, expected):
    assert sent(value)[0] == expected


@pytest.mark.parametrize(
    'headers', [{'X-A': '1'}, [('X-A', '1')], Headers([('X-A', '1')])], ids=repr
)
def test_headers_of_a_tuple_are_sent(headers):
    assert sent(('a', 201, headers))[1]['X-A'] == '1'


def test_wsgi_application_is_used_as_it_is():
    def application(environ, start_response):
        start_response('299 Odd', [])
        return [b'a']

    assert sent(application)[0] == ('299', None, b'a')


def test_value_without_a_status_gets_the_given_one():
    assert sent('a', 404)[0][0] == sent({}, 404)[0][0] == sent(('a', {}), 404)[0][0] == '404'
    assert sent(('a', 200), 404)[0][0] == sent(Response('a'), 404)[0][0] == '200'


def test_returned_http_exception_is_raised():
    with pytest.raises(NotFound):
        application_of(NotFound(), 'Shop.page')
    with pytest.raises(NotFound):
        application_of((NotFound(), 200), 'Shop.page')


async def wait(): ...


def generate():
    yield ''


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (None, 'found NoneType$'),
        (5, 'found int$'),
        (True, 'found bool$'),
        ({1}, 'found set$'),
        (Response, 'found type$'),
        (generate(), 'found generator; wrap it in a Response to stream it$'),
        ((), 'found tuple$'),
        (('a',), 'found tuple$'),
        (('a', 'b', 'c', 'd'), 'found tuple$'),
        (('a', True), 'found tuple$'),
        (('a', {}, 200), 'found tuple$'),
        ((('a', 200), 200), 'found tuple$'),
        ((None, 200), 'found NoneType$'),
        ((generate, 200), 'a tuple with .* found function$'),
        (('a', 200, 'b'), 'headers as a mapping or .*, found str$'),
        (('a', 200, [1]), 'headers as a mapping or .*, found list$'),
        (('a', 200, {'X-A': 'a\r\nb: c'}), 'headers as a mapping or .*, found dict$'),
        ({'a': object()}, 'values of JSON: cannot serialize the value at a: object'),
        ([float('nan')], 'values of JSON: '),
    ],
    ids=repr,
)
def test_other_values_are_one_clear_error(value, message):
    with pytest.raises(TypeError, match=rf'^expected Shop\.page to return .*{message}'):
        application_of(value, 'Shop.page')


def test_coroutine_is_an_error_that_says_what_to_write():
    with pytest.raises(TypeError, match=r'found coroutine, which nothing runs; declare a plain'):
        application_of(wait(), 'Shop.page')
