"""Several services in one test case."""

from __future__ import annotations

import pytest

import lymph
from lymph.core.messages import Message
from lymph.exceptions import LookupFailure, NotConnected
from lymph.testing import LymphIntegrationTestCase, MultiServiceRPCTestCase


class Stock(lymph.Interface):
    def apply_config(self, config):
        self.left = config.get('left', 0)

    @lymph.rpc()
    def take(self):
        self.left -= 1
        self.emit('stock.taken', {'left': self.left})
        return self.left


class Cart(lymph.Interface):
    stock = lymph.proxy('stock')

    def on_start(self):
        self.seen = []

    @lymph.rpc()
    def buy(self):
        return self.stock.take()

    @lymph.event('stock.*')
    def on_stock(self, event):
        self.seen.append(event['left'])


class ShopTest(MultiServiceRPCTestCase):
    services = {'cart': Cart, 'stock': Stock}  # noqa: RUF012 - as its docstring shows it
    service_configs = {'stock': {'left': 3}}  # noqa: RUF012

    def test_services_call_each_other_and_receive_each_others_events(self):
        assert self.get_proxy('cart').buy() == 2
        self.assert_eventually_equal(lambda: self.interfaces['cart'].seen, [2])

    def test_each_service_has_its_own_container(self):
        cart, stock = self.interfaces['cart'], self.interfaces['stock']
        assert cart.container is not stock.container
        stock.container.stop()
        with pytest.raises((LookupFailure, NotConnected)):
            self.get_proxy('stock').take()

    def test_request_is_sent_to_the_named_service(self):
        reply = self.request('stock', 'stock.take')
        assert (reply.type, reply.body) == (Message.REP, 2)

    def test_event_is_received(self):
        self.emit('stock.checked', {'left': 9})
        self.assert_eventually_equal(lambda: self.interfaces['cart'].seen, [9])

    def test_more_instances_can_be_started(self):
        second = self.start_service('stock', Stock, {'left': 100})
        assert len(self.lymph_client.container.lookup('stock')) == 2
        second.container.stop()
        assert len(self.lymph_client.container.lookup('stock')) == 1


class ContainersTest(LymphIntegrationTestCase):
    def test_containers_reach_each_other(self):
        container = self.create_container(Stock, config={'left': 5})
        assert self.create_client().request('stock', 'stock.take') == 4
        assert self.create_container().discover() == {'stock'}
        assert container.interfaces[0].name == 'stock'

    def test_versions_are_kept_apart(self):
        self.create_container(Stock, 'stock', '1.0.0', {'left': 10})
        self.create_container(Stock, 'stock', '2.0.0', {'left': 20})
        client = self.create_client()
        assert client.request('stock', 'stock.take', version='1.0') == 9
        assert client.request('stock', 'stock.take', version='2.0') == 19

    def test_cut_network_fails_calls(self):
        self.create_container(Stock)
        client = self.create_client()
        client.request('stock', 'stock.take')
        self.in_process.network.cut()
        assert client.request('stock', 'stock.take') == -2


class OtherBackendsTest(LymphIntegrationTestCase):
    container_config = {  # noqa: RUF012 - as its docstring shows it
        'registry': {'class': 'static', 'services': {'stock': 'tcp://127.0.0.1:1'}},
        'events': {'class': 'null'},
    }

    def test_container_config_names_other_backends(self):
        container = self.create_container()
        assert container.endpoint.startswith('tcp://127.0.0.1:')
        client = self.create_client()
        assert client.container.discover() == {'stock'}
        with pytest.raises(NotConnected):
            client.request('stock', 'stock.take')


class WaitingTest(LymphIntegrationTestCase):
    def test_assertions_fail_when_the_condition_stays_false(self):
        with pytest.raises(AssertionError, match=r'the light did not come true within 0\.01 s'):
            self.assert_eventually_true(lambda: False, 0.01, 'the light')
        with pytest.raises(AssertionError, match='expected 2, found 1'):
            self.assert_eventually_equal(lambda: 1, 2, 0.01)

    def test_assertions_pass_when_the_condition_becomes_true(self):
        values = iter([0, 0, 1])
        self.assert_eventually_true(lambda: next(values))
        values = iter([0, 1, 2])
        self.assert_eventually_equal(lambda: next(values), 2)
