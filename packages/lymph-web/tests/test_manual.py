"""What the manual shows of HTTP works as it is written there: sections 4.6, 5.4 and 5.8."""

from __future__ import annotations

import pytest
import werkzeug.test
from gevent import socket
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph.web
from lymph.discovery.base import HTTP
from lymph.testing import WebServiceTestCase
from lymph.web.interfaces import WebServiceInterface


class HttpHello(WebServiceInterface):
    url_map = Map([
        Rule('/hello/<string:name>/', endpoint='hello'),
    ])  # fmt: skip

    def hello(self, request, name):
        return Response('hello %s!' % name)  # noqa: UP031 - as the manual writes it


class Unwell(HttpHello):
    well = True

    def is_healthy(self):
        return self.well


def free_port() -> int:
    with socket.create_server(('127.0.0.1', 0)) as probe:
        return probe.getsockname()[1]


@pytest.fixture(params=['socket', 'test client'])
def get(request, start_interface):
    """Return a function that starts a class and asks for a path: the status and the text."""

    def get(cls, path, keys=None):
        started = start_interface(cls, keys)
        if request.param == 'socket':
            answer = started.ask(path)
            return answer.status, answer.body.decode()
        response = started.client.get(path)
        return response.status_code, response.text

    return get


def test_example_of_section_4_6(get):
    assert get(HttpHello, '/hello/world/') == (200, 'hello world!')
    assert get(HttpHello, '/hello/world')[0] == 308


def test_health_check_is_on_by_default_and_follows_is_healthy(start_interface):
    started = start_interface(Unwell)
    assert started.ask('/_health/').status == started.client.get('/_health/').status_code == 200
    started.interface.well = False
    assert started.ask('/_health/').status == started.client.get('/_health/').status_code == 503


def test_health_check_can_be_turned_off_and_moved(get):
    assert get(HttpHello, '/_health/', {'healthcheck': {'enabled': False}})[0] == 404
    assert get(HttpHello, '/up', {'healthcheck': {'endpoint': '/up'}})[0] == 200


def test_interface_listens_at_its_port_or_at_a_random_one(start_interface):
    port = free_port()
    fixed = start_interface(HttpHello, {'port': port, 'wsgi_pool_size': 5})
    assert fixed.interface.http_port == port
    assert fixed.ask('/hello/a/').body == b'hello a!'
    first, second = start_interface(HttpHello), start_interface(HttpHello)
    assert len({port, first.port, second.port}) == 3
    (instance,) = first.interface.container.registry.get('web', HTTP)
    assert instance.http_port == first.port


def test_both_paths_of_section_5_4_name_one_class_with_application_and_url_map(start_interface):
    assert lymph.web.WebServiceInterface is WebServiceInterface
    interface = start_interface(HttpHello).interface
    assert isinstance(interface.url_map, Map)
    client = werkzeug.test.Client(interface.application)
    assert client.get('/hello/you/').text == 'hello you!'


class HelloTest(WebServiceTestCase):
    """Section 5.8: a test case has a werkzeug client for the interface under test."""

    service_class = HttpHello
    service_config = {'healthcheck': {'endpoint': '/up'}}  # noqa: RUF012 - as the manual writes it

    def test_client_of_the_interface(self) -> None:
        assert isinstance(self.client, werkzeug.test.Client)
        assert self.client.get('/hello/you/').text == 'hello you!'
        assert self.client.get('/up').status_code == 200
        assert self.client.post('/nowhere').status_code == 404
