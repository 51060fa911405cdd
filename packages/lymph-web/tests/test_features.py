"""The places where options change how requests are answered."""

from __future__ import annotations

import pytest
from werkzeug.exceptions import NotFound
from werkzeug.routing import Map, Rule
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from lymph.web._answering.application import Application
from lymph.web._answering.features import Features
from lymph.web._answering.health import Health


class Site:
    name = 'site'
    url_map = Map([Rule('/hello', endpoint='hello')])
    request_class = Request
    debug = False
    max_body_size = 100
    health = Health(lambda: True, lambda: False)

    def __init__(self) -> None:
        self.order: list[str] = []

    def report_error(self, error):
        pass

    def hello(self, request):
        self.order.append('hello')
        return Response(request.environ.get('REMOTE_ADDR'))


@pytest.fixture
def site():
    return Site()


@pytest.fixture
def client(site):
    application = Application(site)

    def features(**places):
        application.features = Features.merged(
            [application.features, *(Features(**{name: (each,)}) for name, each in places.items())]
        )
        return Client(application)

    return features


def test_arriving_features_change_what_the_request_says(client):
    def arrive(environ):
        environ['REMOTE_ADDR'] = '10.0.0.1'

    assert client(arriving=arrive).get('/hello').text == '10.0.0.1'


def test_preceding_feature_can_answer_instead_of_any_method(client, site):
    def precede(request):
        return Response('early') if request.method == 'OPTIONS' else None

    asking = client(preceding=precede)
    assert asking.options('/nowhere').text == 'early'
    assert site.order == []
    assert asking.get('/hello').status_code == 200


def test_surrounding_features_are_nested_in_their_order(client, site):
    def around(name):
        def surround(environ, proceed):
            site.order.append(name)
            return proceed()

        return surround

    client(surrounding=around('outer'))
    asking = client(surrounding=around('inner'))
    assert asking.get('/_health/').status_code == 200
    assert site.order == []
    asking.get('/hello')
    assert site.order == ['outer', 'inner', 'hello']


@pytest.mark.parametrize('path', ['/hello', '/nowhere'])
def test_wrapping_features_see_answers_and_errors(client, path):
    def wrap(application, environ):
        application.headers['X-Wrapped'] = '1'
        return application

    assert client(wrapping=wrap).get(path).headers['X-Wrapped'] == '1'


@pytest.mark.parametrize('path', ['/hello', '/nowhere', '/_health/'])
def test_finishing_features_change_the_fields_of_every_answer(client, path):
    def finish(environ, status, fields):
        fields.append(('X-Status', status[:3]))

    response = client(finishing=finish).get(path)
    assert response.headers['X-Status'] == str(response.status_code)


def test_error_of_a_feature_is_an_answer(client):
    def precede(request):
        raise NotFound('closed')

    assert client(preceding=precede).get('/hello').json['message'] == 'closed'
