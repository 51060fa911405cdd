"""Validation of a `url_map` before the interface serves it."""

from __future__ import annotations

import functools

import pytest
from werkzeug.routing import Map, Rule

from lymph.config import ConfigurationError
from lymph.web import WebServiceInterface
from lymph.web._answering.routes import check_routes


async def wait(self, request): ...


def generate(self, request):
    yield request


class Waiting:
    async def __call__(self, request): ...


class Site:
    title = 'text'

    def hello(self, request, name):
        pass

    def anything(self, request, **arguments):
        pass


@pytest.mark.parametrize(
    'rule',
    [
        Rule('/<name>', endpoint='hello'),
        Rule('/', endpoint='hello', defaults={'name': 'you'}),
        Rule('/<a>/<b>', endpoint='anything'),
        Rule('/old', redirect_to='/new', endpoint='nothing'),
        Rule('/static', endpoint='elsewhere', build_only=True),
    ],
)
def test_rule_that_matches_its_method_is_accepted(rule):
    check_routes(Site(), Map([rule]))


@pytest.mark.parametrize(
    ('rule', 'message'),
    [
        (
            Rule('/<name>', endpoint='helo'),
            r"^Site.url_map: rule '/<name>' expects a method 'helo', which Site does not have; "
            r"did you mean 'hello'\?$",
        ),
        (Rule('/', endpoint='zzz'), r"a method 'zzz', which Site does not have$"),
        (Rule('/', endpoint='title'), "a method 'title'"),
        (Rule('/', endpoint=5), r"rule '/' expects the name of a method, a callable.* found 5$"),
        (Rule('/'), 'found None$'),
        (Rule('/', endpoint='hello', websocket=True), 'found websocket=True, which is not served'),
        (
            Rule('/<name>', endpoint='hello', subdomain='api'),
            "is for the subdomain 'api'; set server_name to the host name that it is part of",
        ),
        (Rule('/', endpoint='hello'), r"rule '/' expects 'hello' to take \(request\): missing"),
        (Rule('/<a>', endpoint='hello'), r'to take \(request, a\): missing a required argument'),
    ],
)
def test_rule_that_does_not_match_is_an_error_that_says_what_to_do(rule, message):
    with pytest.raises(ConfigurationError, match=message):
        check_routes(Site(), Map([rule]))


def test_rule_with_a_subdomain_is_accepted_with_a_server_name():
    rule = Rule('/<name>', endpoint='hello', subdomain='api')
    check_routes(Site(), Map([rule]), 'example.com')
    hosts = Map([Rule('/<name>', endpoint='hello', host='api.example.com')], host_matching=True)
    check_routes(Site(), hosts)


def test_url_map_of_another_type_is_an_error():
    with pytest.raises(ConfigurationError, match=r'expected a werkzeug\.routing\.Map, found list'):
        check_routes(Site(), [Rule('/', endpoint='hello')])


FORMS = {
    'async': (wait, 'found an async function; write `def`'),
    'generator': (generate, 'found a generator function'),
    'static': (staticmethod(wait), 'found an async function'),
    'partial': (functools.partialmethod(generate), 'found a generator function'),
    'cached': (functools.lru_cache(wait), 'found an async function'),
    'object': (Waiting(), 'found an async function'),
    'property': (property(generate), 'found a property; write a plain `def`'),
    'cached_property': (functools.cached_property(generate), 'found a cached_property'),
}


@pytest.mark.parametrize('form', FORMS)
def test_endpoint_that_cannot_answer_is_rejected_when_the_class_is_defined(form):
    method, found = FORMS[form]
    attributes = {'url_map': Map([Rule('/', endpoint='hello')]), 'hello': method}
    with pytest.raises(
        TypeError, match=rf"^Hello\.url_map: rule '/' expects .*'hello'.*{found}.*$"
    ):
        type('Hello', (WebServiceInterface,), attributes)


@pytest.mark.parametrize('form', FORMS)
def test_endpoint_that_cannot_answer_is_rejected_before_it_is_served(form):
    method, found = FORMS[form]
    site = type('Site', (), {'hello': method})()
    with pytest.raises(ConfigurationError, match=rf"rule '/' expects .*'hello'.*{found}.*$"):
        check_routes(site, Map([Rule('/', endpoint='hello')]))


def test_endpoint_set_on_the_interface_itself_is_checked_too():
    site = Site()
    site.wait = functools.partial(wait, site)
    with pytest.raises(ConfigurationError, match=r"'wait' .*: found an async function"):
        check_routes(site, Map([Rule('/', endpoint='wait')]))


@pytest.mark.parametrize('name', ['emit', 'on_start', 'report_error', 'is_healthy'])
def test_endpoint_with_a_reserved_name_is_rejected(name):
    with pytest.raises(TypeError, match=f'{name}.*: interfaces use this name themselves'):

        class Hello(WebServiceInterface):
            url_map = Map([Rule('/', endpoint=name)])

            def answer(self, request):
                pass

            locals()[name] = answer


def test_endpoint_may_be_called_report():
    class Sales(WebServiceInterface):
        url_map = Map([Rule('/', endpoint='report')])

        def report(self, request):
            pass

    check_routes(Sales.__new__(Sales), Sales.url_map)


def test_endpoint_may_be_a_static_method_or_the_method_of_a_subclass():
    class Base(WebServiceInterface):
        url_map = Map([Rule('/', endpoint='hello'), Rule('/you', endpoint='you')])

    class Hello(Base):
        @staticmethod
        def hello(request):
            pass

        @classmethod
        def you(cls, request):
            pass

    check_routes(object.__new__(Hello), Hello.url_map)


def test_inherited_helper_method_cannot_be_an_endpoint():
    with pytest.raises(TypeError, match=r"'request' .*: interfaces use this name themselves"):

        class Hello(WebServiceInterface):
            url_map = Map([Rule('/', endpoint='request')])


def test_endpoint_may_override_a_helper_method():
    class Newsletter(WebServiceInterface):
        url_map = Map([Rule('/', endpoint='subscribe')])

        def subscribe(self, request):
            pass

    check_routes(object.__new__(Newsletter), Newsletter.url_map)


@pytest.mark.parametrize('name', ['health', 'limits', 'debug', 'http_port', 'max_body_size'])
def test_method_that_hides_an_attribute_of_web_interfaces_is_rejected(name):
    with pytest.raises(TypeError, match=f'Hello.{name}: interfaces use this name themselves'):
        type('Hello', (WebServiceInterface,), {name: lambda self, request: None})


def test_request_class_may_be_a_method_that_returns_a_request():
    class Hello(WebServiceInterface):
        def request_class(self, environ):
            pass
