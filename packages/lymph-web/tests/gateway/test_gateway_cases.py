"""Gateways in the test cases of lymph-testing, and the interceptors of a gateway."""

from __future__ import annotations

from typing import ClassVar

import lymph
from lymph.testing import RpcMockTestCase, WebServiceTestCase
from lymph.web.gateway import Gateway


class TestMockedGateway(RpcMockTestCase, WebServiceTestCase):
    service_class = Gateway
    service_config: ClassVar = {'allow': ['shop.order']}

    def test_calls_of_a_gateway_can_be_mocked(self):
        self.setup_rpc_mocks({'shop.order': 5})
        assert self.client.post('/api/shop/order', json={'article': 'sock'}).json == 5
        self.update_rpc_mock('shop.order', lymph.RemoteError.LookupError('no sock'))
        answer = self.client.post('/api/shop/order', json={'article': 'sock'})
        assert (answer.status_code, answer.json['detail']) == (422, 'no sock')


class Keys(lymph.Plugin, lymph.Interceptor):
    """Lets only those who have a key call `order`."""

    kinds = frozenset({'http'})

    def intercept(self, work, proceed):
        if work.name == 'api.answer_call' and work.arguments['method'] == 'order':
            assert work.arguments['interface'] == 'shop'
            if work.headers.get('X-Key') != 'secret':
                raise lymph.Refused('a key is needed')
        return proceed()


def test_interceptor_can_decide_who_may_call_a_method(world):
    world.shop()
    asking = world.gateway('shop.*')
    asking.gateway.container.install_plugin(Keys)
    refused = asking.post('shop/order', {'article': 'sock'})
    assert refused.status_code == 403
    assert refused.json['may_have_run'] is False
    assert asking.post('shop/order', {'article': 'sock'}, headers={'X-Key': 'secret'}).json == 1
    assert asking.post('shop/echo').status_code == 200
