"""Calls answered by the test, as test cases that use them."""

from __future__ import annotations

import contextvars
import unittest
from dataclasses import dataclass
from typing import Protocol
from unittest.mock import call

import pytest
from hamcrest import starts_with

import lymph
from lymph.core import trace
from lymph.core.container import ServiceContainer
from lymph.exceptions import (
    Expired,
    LookupFailure,
    Refused,
    RemoteError,
    RpcError,
    SerializationError,
    Timeout,
)
from lymph.testing import RpcMockTestCase, RPCServiceTestCase


class Shop(lymph.Interface):
    stock = lymph.proxy('stock', error_map={'KeyError': KeyError})

    @lymph.rpc()
    def buy(self, article, count=1):
        return self.stock.take(article=article, count=count)

    @lymph.rpc()
    def price(self, article):
        return self.request('prices', 'prices.get', {'article': article})

    @lymph.rpc()
    def later(self, article):
        return self.stock.take.defer(article=article).get(timeout=1)

    @lymph.rpc(raises=(KeyError,))
    def check(self, article):
        return self.stock.take(article=article)

    @lymph.rpc()
    def bad(self):
        return self.stock.take(article=object())


class ShopTest(RPCServiceTestCase, RpcMockTestCase):
    service_class = Shop

    def setUp(self):
        super().setUp()
        self.setup_rpc_mocks({'stock.take': 'taken', 'prices.get': 7})

    def test_mocked_function_returns_its_value(self):
        assert self.client.buy(article='sock') == 'taken'
        assert self.client.price(article='sock') == 7

    def test_calls_are_recorded_in_order(self):
        self.client.buy(article='sock', count=2)
        self.client.price(article='sock')
        self.assert_rpc_calls(
            call('stock.take', article='sock', count=2), call('prices.get', article='sock')
        )
        assert self.rpc_mock_calls[1] == call('prices.get', article='sock')

    def test_matchers_can_replace_values(self):
        self.client.buy(article='sock')
        self.assert_rpc_calls(call('stock.take', article=starts_with('s'), count=1))

    def test_assert_any_rpc_calls_ignores_other_calls(self):
        self.client.buy(article='sock')
        self.client.price(article='sock')
        self.client.buy(article='shoe')
        self.assert_any_rpc_calls(call('prices.get', article='sock'))
        self.assert_any_rpc_calls(
            call('stock.take', article='sock', count=1), call('stock.take', article='shoe', count=1)
        )

    def test_deferred_call_is_mocked_too(self):
        assert self.client.later(article='sock') == 'taken'
        self.assert_rpc_calls(call('stock.take', article='sock'))

    def test_arguments_of_a_deferred_call_are_recorded_as_sent(self):
        self.service.stock.take.defer(article=('sock', 'shoe')).get(timeout=1)
        self.assert_rpc_calls(call('stock.take', article=['sock', 'shoe']))

    def test_options_of_mocked_calls_are_checked_like_those_of_real_ones(self):
        stock = self.service.stock.with_options(timeout=3, retries=0, idempotent=True)
        assert stock.take(article='sock', retries=3) == 'taken'
        self.assert_rpc_calls(call('stock.take', article='sock', retries=3))
        container = self.service.container
        assert container.request('a', 'stock.take', {}, timeout=3, trace_id='mine') == 'taken'
        with pytest.raises(ValueError, match=r'^stock\.take: expected a version'):
            container.request('a', 'stock.take', {}, version='x')
        with pytest.raises(ValueError, match=r'^prices\.get: expected retries'):
            self.service.request('prices', 'prices.get', retries='x')
        with pytest.raises(Expired) as caught:
            container.request('a', 'stock.take', {}, timeout=0)
        assert caught.value.subject == 'stock.take'
        with pytest.raises(TypeError, match=r"found 'retry'; did you mean 'retries'\?"):
            container.request('a', 'stock.take', {}, retry=1)

    def test_exception_may_be_an_instance_or_a_class(self):
        remote = RemoteError.named('KeyError', 'gone')
        for error in (
            KeyError('gone'), KeyError, remote, RemoteError.KeyError('gone'), RemoteError.KeyError
        ):  # fmt: skip
            self.update_rpc_mock('stock.take', error)
            with pytest.raises(RemoteError.KeyError):
                self.client.check(article='sock')

    def test_error_of_a_call_has_its_facts_as_if_it_were_real(self):
        for mocked in (Timeout('late'), Timeout, Refused('busy', 'overloaded')):
            self.update_rpc_mock('stock.take', mocked)
            errors = []
            for timeout in (None, 7):
                container = self.lymph_client.container
                stock = lymph.Proxy(container, 'memory://1', 'stock', timeout)
                context = contextvars.copy_context()
                context.run(trace.set_id, f'trace-{timeout}')
                with pytest.raises(RpcError) as caught:
                    context.run(stock.take, article='sock')
                errors.append(caught.value)
            assert [error.subject for error in errors] == ['stock.take'] * 2
            assert [error.endpoint for error in errors] == ['memory://1'] * 2
            assert [error.timeout for error in errors] == [1, 7]
            assert [error.trace_id for error in errors] == ['trace-None', 'trace-7']
            assert [error.reason for error in errors] == [getattr(mocked, 'reason', None)] * 2

    def test_a_function_that_is_not_mocked_is_really_called(self):
        self.delete_rpc_mock('prices.get')
        with pytest.raises(LookupFailure):
            self.service.price('sock')
        self.assert_rpc_calls()

    def test_only_mocked_functions_can_be_changed(self):
        with pytest.raises(
            KeyError, match=r"'stock\.tak' is not mocked; did you mean 'stock\.take'"
        ):
            self.update_rpc_mock('stock.tak', 1)
        self.delete_rpc_mock('stock.take')
        with pytest.raises(KeyError, match=r"'stock\.take' is not mocked"):
            self.delete_rpc_mock('stock.take')

    def test_name_without_a_service_is_rejected(self):
        with pytest.raises(ValueError, match=r"expected a name like 'echo\.upper', found 'take'"):
            self.setup_rpc_mocks({'take': 1})

    def test_arguments_that_cannot_be_packed_fail_in_the_caller(self):
        with pytest.raises(SerializationError):
            self.service.bad()

    def test_missing_calls_are_explained(self):
        self.client.buy(article='sock')
        with pytest.raises(self.failureException, match="article: expected 'shoe', found 'sock'"):
            self.assert_rpc_calls(call('stock.take', article='shoe', count=1))
        with pytest.raises(self.failureException, match='expected 0 calls, found 1'):
            self.assert_rpc_calls()
        with pytest.raises(self.failureException, match=r"did you mean 'stock\.take'\?"):
            self.assert_any_rpc_calls(call('stock.tkae'))


class OtherOrderTest(RpcMockTestCase, RPCServiceTestCase):
    service_class = Shop

    def test_mocks_work_in_the_other_order_of_bases(self):
        self.setup_rpc_mocks({'stock.take': 'taken'})
        assert self.client.buy(article='sock') == 'taken'


def result_of(*bases, forgets_super=False):
    """Run a test case with these bases that uses mocks; return the result of unittest."""
    seen = []

    class Inner(*bases):
        def setUp(self):
            if not forgets_super:
                super().setUp()
            self.setup_rpc_mocks({'a.b': 1})

        def runTest(self):
            seen.append(list(self.rpc_mock_calls))
            assert ServiceContainer.request(None, 'a', 'a.b', {'x': 1}) == 1
            self.assert_rpc_calls(call('a.b', x=1))

    result = unittest.TestResult()
    case = Inner()
    case.run(result)
    case.run(result)
    assert seen == [[], []]
    return result


@pytest.mark.parametrize(
    'bases',
    [
        (RpcMockTestCase,),
        (RpcMockTestCase, unittest.TestCase),
        (unittest.TestCase, RpcMockTestCase),
    ],
)
@pytest.mark.parametrize('forgets_super', [False, True])
def test_it_is_a_test_case_and_a_mixin_in_either_order(bases, forgets_super):
    real = ServiceContainer.request
    result = result_of(*bases, forgets_super=forgets_super)
    assert result.testsRun == 2
    assert result.wasSuccessful(), result.errors + result.failures
    assert ServiceContainer.request is real


@dataclass
class Parcel:
    article: str


class Stock(Protocol):
    def take(self, article: str) -> Parcel: ...


class Buyer(lymph.Interface):
    stock = lymph.proxy('stock', Stock)

    @lymph.rpc()
    def buy(self, article):
        return self.stock.take(article).article


class TypedProxyTest(RPCServiceTestCase, RpcMockTestCase):
    service_class = Buyer

    def test_mocked_results_are_converted_by_a_proxy_with_a_class(self):
        for result in (Parcel('sock'), {'article': 'sock'}):
            self.setup_rpc_mocks({'stock.take': result})
            assert self.get_proxy(Buyer).buy('sock') == 'sock'
        self.assert_rpc_calls(*[call('stock.take', article='sock')] * 2)
