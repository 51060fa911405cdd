"""Endpoints of all kinds: methods, functions, and classes with a method for each HTTP method."""

from __future__ import annotations

import abc
import functools

import pytest
from werkzeug.routing import Map, Rule, Submount
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from lymph.core._work.chains import Chains
from lymph.core.interceptors import Interceptor
from lymph.web import RequestHandler, WebServiceInterface, errorhandler
from lymph.web._answering.application import Application
from lymph.web._answering.health import Health


def greet(request, name):
    return Response(f'{request.method} {name}')


class Greeter:
    def __call__(self, request, name):
        return Response(f'greeter {name}')

    def greet(self, request, name):
        return Response(f'bound {name}')


class Users(RequestHandler):
    def get(self, id):
        return Response(f'{self.interface.title} {id} {self.request.args.get("q")}')

    def post(self, id):
        return Response(f'posted {self.request.get_data(as_text=True)}', 201)


class Own:
    """A handler class that is not derived from anything."""

    def __init__(self, interface, request):
        self.method = request.method

    def head(self):
        return Response(headers={'X-Head': self.method})

    def options(self):
        return Response('own options')


class Broken(RequestHandler):
    def __init__(self, interface, request):
        raise ValueError('secret')

    def get(self):
        pass


class Site:
    name = 'site'
    title = 'user'
    request_class = Request
    debug = False
    max_body_size = 100
    health = Health(lambda: True, lambda: False)

    def hello(self, request, name):
        return Response(f'hello {name}')

    @staticmethod
    def static(request, name):
        return Response(f'static {name}')

    def aliased(self, request, name):
        return Response('base')

    def __init__(self) -> None:
        self.url_map = Map(
            [
                Rule('/name/<name>', endpoint='hello'),
                Rule('/function/<name>', endpoint=greet),
                Rule('/in-class/<name>', endpoint=Site.hello),
                Rule('/static/<name>', endpoint=vars(Site)['static']),
                Rule('/overridden/<name>', endpoint=Site.aliased),
                Rule('/bound/<name>', endpoint=Greeter().greet),
                Rule('/object/<name>', endpoint=Greeter()),
                Rule('/partial', endpoint=functools.partial(greet, name='you')),
                Submount('/users', [Rule('/<int:id>', endpoint=Users)]),
                Rule('/listed/<id>', endpoint=Users, methods=['GET']),
                Rule('/listed/<id>', endpoint=Users, methods=['POST']),
                Rule('/name-listed/<name>', endpoint='hello', methods=['GET']),
                Rule('/own', endpoint=Own),
                Rule('/broken', endpoint=Broken),
            ]
        )

    def report_error(self, error):
        pass


class Derived(Site):
    def aliased(self, request, name):
        return Response('derived')


@pytest.fixture
def client():
    return Client(Application(Derived()))


@pytest.mark.parametrize(
    ('path', 'text'),
    [
        ('/name/you', 'hello you'),
        ('/function/you', 'GET you'),
        ('/in-class/you', 'hello you'),
        ('/static/you', 'static you'),
        ('/overridden/you', 'derived'),
        ('/bound/you', 'bound you'),
        ('/object/you', 'greeter you'),
        ('/partial', 'GET you'),
        ('/users/5?q=x', 'user 5 x'),
    ],
)
def test_every_kind_of_endpoint_gets_the_request_and_the_values_of_the_url(client, path, text):
    assert client.get(path).text == text


def test_handler_class_is_called_with_the_method_of_the_request(client):
    response = client.post('/users/5', data='a')
    assert (response.status_code, response.text) == (201, 'posted a')


def test_head_is_answered_by_get_without_a_body(client):
    response = client.head('/users/5')
    assert (response.status_code, response.data) == (200, b'')
    assert response.content_length == len('user 5 None')
    assert client.head('/own').headers['X-Head'] == 'HEAD'


def test_options_are_answered_with_the_methods_of_the_class(client):
    response = client.options('/users/5')
    assert (response.status_code, response.headers['Allow']) == (200, 'GET, HEAD, POST, OPTIONS')
    assert client.options('/own').text == 'own options'


def test_options_need_not_be_listed_by_the_rules_of_a_class(client):
    response = client.options('/listed/5')
    assert (response.status_code, response.headers['Allow']) == (200, 'GET, HEAD, POST, OPTIONS')
    assert client.put('/listed/5').status_code == 405
    assert client.options('/name-listed/5').status_code == 405


@pytest.mark.parametrize('method', ['PUT', 'TRACE', '__INIT__', 'PROPFIND', 'DISPATCH'])
def test_method_that_the_class_does_not_have_is_405_with_those_it_has(client, method):
    response = client.open('/users/5', method=method)
    assert response.status_code == 405
    assert response.headers['Allow'] == 'GET, HEAD, POST, OPTIONS'
    assert client.get('/own').headers['Allow'] == 'HEAD, OPTIONS'


def test_handler_class_that_cannot_be_made_is_an_error(client):
    response = client.get('/broken')
    assert (response.status_code, 'secret' in response.text) == (500, False)


@pytest.mark.parametrize(
    ('method', 'path', 'name'),
    [
        ('GET', '/name/a', 'site.hello'),
        ('GET', '/function/a', 'site.greet'),
        ('GET', '/in-class/a', 'site.hello'),
        ('GET', '/bound/a', 'site.greet'),
        ('GET', '/object/a', 'site.Greeter'),
        ('GET', '/partial', 'site.greet'),
        ('GET', '/users/1', 'site.Users.get'),
        ('HEAD', '/users/1', 'site.Users.get'),
        ('POST', '/users/1', 'site.Users.post'),
        ('OPTIONS', '/users/1', 'site.Users.options'),
        ('OPTIONS', '/listed/1', 'site.Users.options'),
        ('PUT', '/users/1', 'site'),
    ],
)
def test_interceptors_see_what_answers_under_its_name(method, path, name):
    seen = []

    class Watching(Interceptor):
        def intercept(self, work, proceed):
            seen.append(work.name)
            return proceed()

    chains, site = Chains(), Site()
    chains.add(Watching())
    answer = Client(Application(site, chains.of('http', site))).open(path, method=method)
    assert (answer.status_code == 405) == (method == 'PUT')
    assert seen == [name]


def test_error_of_a_wrong_result_names_the_method_of_the_class():
    class Wrong(RequestHandler):
        def get(self):
            return 5

    site, reported = Site(), []
    site.report_error = reported.append
    site.url_map.add(Rule('/wrong', endpoint=Wrong))
    Client(Application(site)).get('/wrong')
    assert 'expected Site.Wrong.get to return' in str(reported[0])


class Empty:
    pass


class Unmade:
    def get(self):
        pass


class Waiting(RequestHandler):
    async def get(self):
        pass


class Abstract(RequestHandler, abc.ABC):
    @abc.abstractmethod
    def get(self): ...


class Computed(RequestHandler):
    @property
    def get(self):
        return greet


class Narrow(RequestHandler):
    def get(self):
        pass

    def post(self):
        pass


class Handled(RequestHandler):
    def get(self):
        pass

    @errorhandler(404)
    def missing(self, request, error):
        pass


async def wait(request): ...


@pytest.mark.parametrize(
    ('rule', 'message'),
    [
        (Rule('/', endpoint=Empty), "a class with get, post, .* found 'Empty', which has none"),
        (Rule('/', endpoint=Handled), "'Handled', which has error handlers; an interface has the"),
        (Rule('/', endpoint=Unmade), r"'Unmade' to be made with \(interface, request\), as lymph"),
        (
            Rule('/', endpoint=Waiting),
            "expects 'Waiting.get' to answer .*: found an async function",
        ),
        (Rule('/', endpoint=Abstract), "'Abstract' to be made with .*: abstract methods get"),
        (Rule('/', endpoint=Computed), "'Computed.get' to answer requests: found a property"),
        (Rule('/<id>', endpoint=Narrow), r"expects 'Narrow.get' to take \(self, id\): got an"),
        (
            Rule('/', endpoint=Narrow, methods=['GET', 'DELETE']),
            "is for DELETE, for which 'Narrow' has no method",
        ),
        (Rule('/', endpoint=wait), "expects 'wait' to answer requests: found an async function"),
        (Rule('/', endpoint=greet), r"expects 'greet' to take \(request\): missing"),
        (Rule('/<request>/<name>', endpoint=greet), r'\(request, name, request\): multiple values'),
        (Rule('/', endpoint=None), 'expects the name of a method, a callable, or a class'),
        (Rule('/', endpoint='hello', websocket=True), 'found websocket=True, which is not served'),
    ],
)
def test_endpoint_that_cannot_answer_is_one_line_when_the_class_is_defined(rule, message):
    with pytest.raises(TypeError, match=rf'^Hello\.url_map: rule .*{message}.*$'):
        type('Hello', (WebServiceInterface,), {'url_map': Map([rule])})


@pytest.mark.parametrize(
    'rule',
    [
        Rule('/', endpoint=Narrow, methods=['GET', 'OPTIONS']),
        Rule('/', endpoint=len),
        Rule('/', endpoint=Own),
        Rule('/<name>', endpoint=greet),
        Rule('/x', endpoint=5, build_only=True),
        Rule('/x', redirect_to='/y'),
    ],
)
def test_endpoint_that_fits_is_accepted(rule):
    type('Hello', (WebServiceInterface,), {'url_map': Map([rule])})


def test_function_of_the_class_body_is_a_method():
    class Hello(WebServiceInterface):
        def hello(self, request): ...

        url_map = Map([Rule('/', endpoint=hello)])

    assert callable(Hello.hello)
    with pytest.raises(TypeError, match=r"a method 'emit' .*: interfaces use this name themselves"):
        type('Hello', (WebServiceInterface,), {'url_map': Map([Rule('/', endpoint=Hello.emit)])})
