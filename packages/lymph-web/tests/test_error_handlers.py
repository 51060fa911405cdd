"""Error handlers: which one answers an error, what it may return, and what happens if it fails."""

from __future__ import annotations

import asyncio
import functools
import logging

import pytest
from werkzeug.exceptions import (
    Conflict,
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    abort,
)
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

import lymph
from lymph.core.failures import Killed
from lymph.exceptions import LookupFailure, RemoteError, Timeout
from lymph.web import WebServiceInterface, errorhandler
from lymph.web._answering.application import Application
from lymph.web._answering.error_handlers import ErrorHandlers
from lymph.web._answering.health import Health


class SoldOutError(Exception):
    pass


class ReservedError(SoldOutError):
    pass


class NoBookError(NotFound):
    pass


class Site:
    name = 'site'
    request_class = Request
    debug = False
    max_body_size = 10
    health = Health(lambda: True, lambda: False)
    url_map = Map(
        [
            Rule('/fail', endpoint='fail'),
            Rule('/late', endpoint='late'),
            Rule('/return', endpoint='give_back'),
            Rule('/branch/', endpoint='fail'),
        ]
    )

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.reported: list[BaseException] = []

    def report_error(self, error):
        self.reported.append(error)

    def fail(self, request):
        raise self.error

    def late(self, request):
        def parts():
            raise self.error
            yield b''

        return Response(parts())

    def give_back(self, request):
        return self.error


def ask(cls, error, path='/fail', **given):
    """Return the answer of a site whose methods raise an error, and what was reported."""
    site = cls(error)
    client = Client(Application(site, error_handlers=ErrorHandlers.of(cls)))
    return client.open(path, **{'method': 'GET', **given}), site.reported


class Handling(Site):
    @errorhandler(404, 405)
    def by_status(self, request, error):
        return f'status {error.code} {request.path}'

    @errorhandler(SoldOutError)
    def sold_out(self, request, error):
        return {'error': type(error).__name__}, 409

    @errorhandler(HTTPException)
    def any_http(self, request, error):
        return f'http {error.code}'

    @errorhandler(500)
    def page(self, request, error):
        return f'page {type(error).__name__} {type(error.__cause__).__name__}'

    @errorhandler(503)
    def away(self, request, error):
        return f'away {error.code} {error.description}'


class Derived(Handling):
    @errorhandler(NoBookError, ReservedError)
    def nearer(self, request, error):
        return 'nearer'

    @errorhandler(500)
    def other_page(self, request, error):
        return 'other page'


@pytest.mark.parametrize(
    ('cls', 'error', 'status', 'text'),
    [
        (Handling, NotFound(), 404, 'status 404 /fail'),
        (Handling, NoBookError(), 404, 'status 404 /fail'),
        (Derived, NoBookError(), 404, 'nearer'),
        (Derived, NotFound(), 404, 'status 404 /fail'),
        (Handling, Conflict(), 409, 'http 409'),
        (Handling, SoldOutError(), 409, '{"error": "SoldOutError"}\n'),
        (Handling, ReservedError(), 409, '{"error": "ReservedError"}\n'),
        (Derived, ReservedError(), 500, 'nearer'),
        (Handling, ValueError('secret'), 500, 'page InternalServerError ValueError'),
        (Handling, InternalServerError(), 500, 'page InternalServerError NoneType'),
        (Handling, HTTPException('no code'), 500, 'page InternalServerError HTTPException'),
        (Derived, ValueError(), 500, 'other page'),
        (Handling, SystemExit(1), 500, 'page InternalServerError SystemExit'),
        (Handling, RemoteError.named('KeyError', ''), 500, 'page InternalServerError KeyError'),
        (
            Handling,
            LookupFailure('no instance of secret'),
            503,
            'away 503 A service that this one depends on is not available.',
        ),
    ],
)
@pytest.mark.parametrize('path', ['/fail', '/late'])
def test_nearest_handler_answers_with_the_status_of_the_error(cls, error, status, text, path):
    response, _ = ask(cls, error, path)
    assert (response.status_code, response.text) == (status, text.replace('/fail', path))
    assert 'X-Trace-Id' in response.headers


def test_error_before_the_choice_of_a_method_is_handled():
    response, _ = ask(Handling, ValueError(), '/nowhere')
    assert response.text == 'status 404 /nowhere'
    response, _ = ask(Handling, ValueError(), method='POST', data='x' * 11)
    assert (response.status_code, response.text) == (413, 'http 413')


def test_error_of_the_request_class_is_handled():
    class Failing(Handling):
        def request_class(self, environ):
            raise SoldOutError

    assert ask(Failing, ValueError())[0].status_code == 409


@pytest.mark.parametrize(
    ('error', 'reported', 'logged'),
    [
        (SoldOutError(), False, False),
        (NotFound(), False, False),
        (ValueError(), True, True),
        (LookupFailure('away'), False, True),
    ],
)
def test_only_errors_with_a_handler_of_their_class_are_expected(error, reported, logged, caplog):
    with caplog.at_level(logging.WARNING, 'lymph.web'):
        _, found = ask(Handling, error)
    assert found == ([error] if reported else [])
    assert len(caplog.records) == logged


class Catching(Site):
    @errorhandler(Exception)
    def catch(self, request, error):
        return 'caught', 418

    @errorhandler(504, 500)
    def late(self, request, error):
        return 'late'


def test_handler_of_every_exception_changes_only_the_answer():
    error = ValueError()
    response, reported = ask(Catching, error)
    assert (response.status_code, response.text, reported) == (418, 'caught', [error])
    assert ask(Catching, Timeout('late'))[0].text == 'caught'
    assert ask(Catching, NotFound())[0].text == 'caught'
    assert ask(Catching, InternalServerError())[0].text == 'late'


@pytest.mark.parametrize(
    ('error', 'status'),
    [
        (HTTPException(response=Response('own', 409)), 409),
        (HTTPException(response=redirect('/a')), 302),
    ],
)
def test_response_that_an_exception_brings_is_sent_unchanged(error, status):
    response, _ = ask(Handling, error)
    assert response.status_code == status
    assert not response.text.startswith('http')


def test_redirect_of_a_rule_keeps_the_method_and_is_no_error():
    response, _ = ask(Handling, ValueError(), '/branch', method='POST')
    assert (response.status_code, response.location) == (308, 'http://localhost/branch/')


def test_returned_http_exception_is_the_same_as_a_raised_one():
    assert ask(Handling, NotFound(), '/return')[0].text == 'status 404 /return'
    response, _ = ask(Site, NotFound('gone'), '/return')
    assert (response.status_code, response.json['detail']) == (404, 'gone')


class Failing(Site):
    @errorhandler(SoldOutError)
    def fails(self, request, error):
        raise KeyError('second secret')

    @errorhandler(404)
    def wrong(self, request, error):
        return 5

    @errorhandler(409)
    def later(self, request, error):
        def parts():
            raise KeyError('second secret')
            yield b''

        return Response(parts(), 409)

    @errorhandler(ZeroDivisionError)
    def translated(self, request, error):
        raise NotFound('nothing divides by it')

    @errorhandler(OverflowError)
    def redirected(self, request, error):
        abort(redirect('/small'))

    @errorhandler(HTTPException)
    def same(self, request, error):
        return error

    @errorhandler(LookupError)
    def again(self, request, error):
        raise error


@pytest.mark.parametrize(
    ('error', 'status', 'reported'),
    [
        (SoldOutError(), 500, ['SoldOutError', 'KeyError']),
        (NotFound('no'), 404, ['TypeError']),
        (Conflict('no'), 409, ['KeyError']),
        (ZeroDivisionError(), 404, []),
        (OverflowError(), 302, []),
        (MethodNotAllowed(['GET']), 405, []),
    ],
)
def test_handler_that_fails_is_replaced_by_the_usual_answer(error, status, reported):
    response, found = ask(Failing, error)
    assert response.status_code == status
    assert 'second secret' not in response.text
    assert sorted(type(each).__name__ for each in found) == sorted(reported)
    if status in (404, 405, 409, 500):
        assert response.mimetype == 'application/problem+json'


def test_handler_that_raises_its_error_again_gets_the_usual_answer_and_one_report():
    error = LookupError()
    response, reported = ask(Failing, error)
    assert (response.status_code, reported) == (500, [error])


class Headed(Site):
    @errorhandler(405)
    def changed(self, request, error):
        return 'elsewhere', 200 if request.args else 405

    @errorhandler(503)
    def away(self, request, error):
        return Response('away', 503, {'Retry-After': '9'} if request.args else {})


def test_headers_that_belong_to_the_status_are_added():
    error = MethodNotAllowed(['GET'])
    assert ask(Headed, error)[0].headers['Allow'] == 'GET'
    assert 'Allow' not in ask(Headed, error, '/fail?a')[0].headers
    assert ask(Headed, LookupFailure('x'))[0].headers['Retry-After'] == '5'
    assert ask(Headed, LookupFailure('x'), '/fail?a')[0].headers.getlist('Retry-After') == ['9']


class OwnPageError(Conflict):
    def get_body(self, environ=None, scope=None):
        if self.description == 'fails':
            raise KeyError('second secret')
        return f'own page {self.description}'

    def get_headers(self, environ=None, scope=None):
        return [('Content-Type', 'text/plain'), ('X-Own', '1')]


def test_http_exception_with_a_page_of_its_own_is_answered_with_it():
    response, reported = ask(Site, OwnPageError('no'))
    assert (response.status_code, response.text) == (409, 'own page no')
    assert (response.headers['X-Own'], reported) == ('1', [])
    assert ask(Failing, OwnPageError('no'))[0].mimetype == 'text/plain'
    assert ask(Handling, OwnPageError('no'))[0].text == 'http 409'


def test_page_of_an_http_exception_that_fails_is_replaced_by_the_usual_answer():
    response, reported = ask(Site, OwnPageError('fails'))
    assert (response.status_code, response.json['detail']) == (409, 'fails')
    assert [type(each) for each in reported] == [KeyError]


def test_killed_request_is_not_handled():
    class Everything(Site):
        @errorhandler(BaseException)
        def everything(self, request, error):
            return 'handled'

    assert ask(Everything, asyncio.CancelledError())[0].text == 'handled'
    with pytest.raises(Killed):
        ask(Everything, Killed())


class Working(Site):
    log: list[str] = []  # noqa: RUF012 - one interface is made

    @lymph.resource
    def session(self):
        yield 'session'
        self.log.append('closed')

    @errorhandler(500)
    def page(self, request, error):
        return self.session


def test_handler_is_a_unit_of_work_with_resources():
    assert ask(Working, ValueError())[0].text == 'session'
    assert Working.log == ['closed']


@pytest.mark.parametrize(
    ('which', 'message'),
    [
        ((), 'expected statuses or classes of exceptions, found nothing$'),
        ((200,), 'expected statuses from 400 to 599 or classes of exceptions, found 200$'),
        ((600,), 'found 600$'),
        ((True,), 'found True$'),
        (('404',), "found '404'$"),
        ((ValueError(),), 'found an instance of builtins.ValueError$'),
        ((int,), 'found the class builtins.int$'),
        ((Killed,), 'Killed ends a request'),
        ((len,), r'write @errorhandler\(404\) with what it handles above the method$'),
    ],
)
def test_what_cannot_be_handled_is_one_line(which, message):
    with pytest.raises(TypeError, match=f'^errorhandler: .*{message}'):
        errorhandler(*which)


async def wait(self, request, error): ...


def short(self, error): ...


def long(self, request, error): ...


@pytest.mark.parametrize(
    ('methods', 'message'),
    [
        ({'a': wait}, r'Shop\.a: expected a method that answers errors, found an async function'),
        ({'a': short}, r'Shop\.a: expected an error handler to take \(request, error\): too many'),
        ({'a': long, 'b': functools.partialmethod(long)}, r'Shop\.b: 404 is handled by a already'),
    ],
)
def test_method_that_cannot_handle_is_one_line_when_the_class_is_defined(methods, message):
    marked = {name: errorhandler(404)(method) for name, method in methods.items()}
    with pytest.raises(TypeError, match=message):
        type('Shop', (WebServiceInterface,), marked)


class Forms(Site):
    @staticmethod
    @errorhandler(404)
    def static(request, error):
        return 'static'

    @errorhandler(409)
    @classmethod
    def of_the_class(cls, request, error):
        return 'class'

    @errorhandler(400)
    @errorhandler(500)
    def both(self, request, error):
        return 'both'


class Removing(Forms):
    both = None

    def of_the_class(self, request, error):
        return 'not declared'


def test_handlers_are_methods_of_any_form_and_can_be_removed():
    assert ask(Forms, NotFound())[0].text == 'static'
    assert ask(Forms, Conflict())[0].text == 'class'
    assert ask(Forms, ValueError())[0].text == 'both'
    assert ask(Removing, NotFound())[0].text == 'static'
    assert ask(Removing, Conflict())[0].mimetype == 'application/problem+json'
    assert ask(Removing, ValueError())[0].mimetype == 'application/problem+json'
