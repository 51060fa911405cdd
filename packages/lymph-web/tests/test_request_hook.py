"""The hook that is called for each HTTP request."""

from __future__ import annotations

import pytest
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

from lymph.web.interfaces import WebServiceInterface

TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'


class Shop(WebServiceInterface):
    url_map = Map([Rule('/articles/<int:number>', endpoint='article'), Rule('/', endpoint='fail')])

    def article(self, request, number):
        return Response(f'article {number}')

    def fail(self, request):
        raise ValueError


@pytest.fixture
def hosted(start_interface):
    return start_interface(Shop)


@pytest.fixture
def told(hosted):
    told = []

    def note(request, **details):
        told.append((request.path, details))

    hosted.interface.container.http_request_hook.install(note)
    return told


def test_hook_gets_each_request_with_what_answers_it_and_its_trace_id(hosted, told):
    answer = hosted.client.get('/articles/5', headers={'X-Trace-Id': TRACE})
    assert answer.text == 'article 5'
    [(path, details)] = told
    assert path == '/articles/5'
    assert details['component'] is hosted.interface
    assert details['function'] == f'{hosted.interface.name}.article'
    assert details['arguments'] == {'number': 5}
    assert details['trace_id'] == TRACE


def test_hook_gets_requests_that_fail_or_match_nothing(hosted, told):
    assert hosted.client.get('/').status_code == 500
    assert hosted.client.get('/nowhere').status_code == 404
    assert [details['function'] for _, details in told] == [
        f'{hosted.interface.name}.fail',
        hosted.interface.name,
    ]


def test_health_checks_are_not_passed_to_the_hook(hosted, told):
    assert hosted.client.get('/_health/').status_code == 200
    assert told == []


def test_failing_hook_changes_no_answer(hosted, told):
    def fail(request, **details):
        raise SystemExit

    hosted.interface.container.http_request_hook.install(fail)
    assert hosted.client.get('/articles/5').status_code == 200
    assert len(told) == 1


def test_hook_that_was_removed_is_not_called(hosted):
    told = []
    remove = hosted.interface.container.http_request_hook.install(
        lambda request, **details: told.append(1)
    )
    remove()
    assert hosted.client.get('/articles/5').status_code == 200
    assert told == []
