"""Errors as answers, in the form that the client accepts."""

from __future__ import annotations

import json

import gevent
import pytest
from werkzeug.exceptions import MethodNotAllowed, NotFound, Unauthorized

from lymph.exceptions import (
    ConnectionLost,
    EmitFailure,
    Expired,
    Failed,
    LookupFailure,
    NotConnected,
    Refused,
    RemoteError,
    Timeout,
)
from lymph.web._answering.errors import problem_of
from lymph.web._answering.problem_answers import error_response

TRACE = 'trace-1'


def answer(error, accept=None, debug=False):
    environ = {} if accept is None else {'HTTP_ACCEPT': accept}
    return error_response(problem_of(error, debug), environ, TRACE)


@pytest.mark.parametrize(
    ('error', 'status'),
    [
        (LookupFailure('no instance of echo'), 503),
        (NotConnected('tcp://10.0.0.1:1'), 503),
        (Refused('no', 'overloaded'), 503),
        (EmitFailure('no broker'), 503),
        (Timeout('no reply'), 504),
        (ConnectionLost('gone'), 502),
        (Failed('it raised'), 502),
        (RemoteError.named('ValueError', 'no such thing'), 500),
        (ValueError('10.0.0.1'), 500),
        (gevent.Timeout(7.25), 500),
    ],
)
def test_error_has_its_status_and_hides_its_text(error, status):
    response = answer(error)
    assert response.status_code == status
    assert str(error) not in response.get_data(as_text=True)


@pytest.mark.parametrize(
    ('error', 'status', 'seconds'),
    [
        (NotConnected('tcp://10.0.0.1:1'), 503, '5'),
        (LookupFailure('no instance of echo'), 503, '5'),
        (EmitFailure('no broker'), 503, '5'),
        (Refused('full', 'overloaded'), 503, '1'),
        (Refused('not yet', 'starting'), 503, '1'),
        (Refused('no longer', 'draining'), 503, '1'),
        (Refused('not here', 'unknown_interface'), 503, '1'),
        (Refused('not this one', 'unknown_version'), 503, '1'),
        (Refused('never', 'unknown_method'), 503, None),
        (Refused('never', 'forbidden'), 503, None),
        (Refused('newer', 'a reason of a later version'), 503, None),
        (Refused('odd', ['overloaded']), 503, None),
        (Refused('late', 'expired'), 504, None),
        (Expired('no time left for the call'), 504, None),
        (Timeout('no reply'), 504, None),
        (ConnectionLost('gone'), 502, None),
        (Failed('it raised'), 502, None),
    ],
)
@pytest.mark.parametrize('accept', ['application/json', 'text/html'])
def test_answer_tells_when_to_repeat_a_request_that_may_succeed_then(
    error, status, seconds, accept
):
    response = answer(error, accept)
    assert (response.status_code, response.headers.get('Retry-After')) == (status, seconds)


@pytest.mark.parametrize(
    'accept',
    [None, '*/*', 'application/json', 'text/html;q=0.1, application/problem+json', 'image/png'],
)
def test_json_is_the_answer_unless_html_is_preferred(accept):
    response = answer(NotFound('no such page'), accept)
    assert response.mimetype == 'application/problem+json'
    assert json.loads(response.data) == {
        'type': 'about:blank',
        'title': 'Not Found',
        'status': 404,
        'detail': 'no such page',
        'trace_id': TRACE,
        'error': 'Not Found',
        'message': 'no such page',
    }
    assert response.headers['Vary'] == 'Accept'


@pytest.mark.parametrize(
    ('path', 'instance'),
    [
        ('/a/b', '/app/a/b'),
        ('/\xc3\xb6 "<>%\r\n', '/app/%C3%B6%20%22%3C%3E%25%0D%0A'),
        ('/' + 'a' * 3000, None),
    ],
)
def test_json_names_the_path_of_the_request_unless_it_is_long(path, instance):
    environ = {'SCRIPT_NAME': '/app', 'PATH_INFO': path}
    response = error_response(problem_of(NotFound()), environ, TRACE)
    assert response.json.get('instance') == instance


@pytest.mark.parametrize('accept', [';;;', 'a/b/c', ',', 'text/html;q=x', '\x80', 'q=1;=', ''])
def test_malformed_accept_field_gets_an_answer(accept):
    assert answer(NotFound(), accept).status_code == 404


def test_browser_gets_html_with_escaped_text():
    response = answer(NotFound('<script>'), 'text/html,application/xhtml+xml,*/*;q=0.8')
    assert response.mimetype == 'text/html'
    text = response.get_data(as_text=True)
    assert '<h1>404 Not Found</h1>' in text
    assert '&lt;script&gt;' in text
    assert '<script>' not in text
    assert TRACE in text


def test_html_shows_lines_and_no_control_characters():
    text = answer(NotFound('one\ntwo \x1b[2J\u202e\udcff'), 'text/html').get_data(as_text=True)
    assert 'one<br>\ntwo \\x1b[2J\\u202e\\udcff' in text


@pytest.mark.parametrize('accept', ['application/json', 'text/html'])
def test_description_of_any_type_is_shown_as_text(accept):
    assert b'no such page' in answer(NotFound(KeyError('no such page')), accept).data


def test_headers_that_belong_to_an_error_are_kept():
    assert answer(MethodNotAllowed(['GET'])).headers['Allow'] == 'GET'
    unauthorized = answer(Unauthorized(www_authenticate=None))
    assert unauthorized.headers.getlist('Content-Type') == ['application/problem+json']


@pytest.mark.parametrize('accept', ['application/json', 'text/html'])
def test_traceback_is_shown_only_in_debug_mode(accept):
    try:
        raise ValueError('<secret>')
    except ValueError as error:
        hidden, shown = answer(error, accept), answer(error, accept, debug=True)
    assert b'secret' not in hidden.data
    assert b'secret' in shown.data
    assert b'test_errors.py' in shown.data
    if accept == 'text/html':
        assert b'<secret>' not in shown.data
