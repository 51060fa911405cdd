"""HTTP interfaces in their test case."""

from __future__ import annotations

import unittest
from unittest.mock import call

from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.exceptions import LookupFailure
from lymph.testing import EventMockTestCase, RpcMockTestCase, WebServiceTestCase
from lymph.web.interfaces import WebServiceInterface


class Gateway(WebServiceInterface):
    url_map = Map([Rule('/hello/<name>/', endpoint='hello'), Rule('/upper', endpoint='upper')])
    echo = lymph.proxy('echo')

    def hello(self, request, name):
        return Response(f'hello {name}!')

    def upper(self, request):
        self.emit('asked')
        return Response(self.echo.upper(text=request.args['text']))


class GatewayTest(WebServiceTestCase, RpcMockTestCase, EventMockTestCase):
    service_class = Gateway
    service_config = {'healthcheck': {'endpoint': '/up'}}  # noqa: RUF012 - as the manual writes it

    def test_client_sends_requests_to_the_interface(self):
        response = self.client.get('/hello/you/')
        assert (response.status_code, response.text) == (200, 'hello you!')

    def test_service_config_is_applied(self):
        assert self.client.get('/up').json == {'status': 'healthy'}

    def test_mocks_end_with_the_test(self):
        self.setup_rpc_mocks({'echo.upper': 'FOO'})
        assert self.client.get('/upper?text=foo').text == 'FOO'
        self.assert_rpc_calls(call('echo.upper', text='foo'))
        self.assert_events_emitted(call('asked'))
        self.update_rpc_mock('echo.upper', LookupFailure('nobody'))
        assert self.client.get('/upper?text=foo').status_code == 503

    def test_client_sends_requests_to_a_wrapped_application(self):
        inner = self.service.application

        def outer(environ, start_response):
            return inner({**environ, 'PATH_INFO': '/hello/outer/'}, start_response)

        self.service.application = outer
        assert self.client.get('/').text == 'hello outer!'


def test_interface_without_an_application_is_rejected():
    class Plain(lymph.Interface):
        pass

    class Inner(WebServiceTestCase):
        service_class = Plain

        def runTest(self):
            raise AssertionError('not reached')

    result = unittest.TestResult()
    Inner().run(result)
    assert 'expected a subclass of lymph.web.WebServiceInterface' in result.errors[0][1]
