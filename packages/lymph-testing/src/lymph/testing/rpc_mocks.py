"""Calls to other services answered by the test. Source: the manual, section 5.8."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from unittest import mock

from lymph.config.suggestions import close_name
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions
from lymph.core.container import ServiceContainer
from lymph.serializers.msgpack import pack, unpack
from lymph.testing.cases import TestCase
from lymph.testing.expectations import Expectation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.call_options import CallKeywords
    from lymph.testing.expectations import Call

__all__ = ['RpcMockTestCase']


class RpcMockTestCase(TestCase):
    """A test case, or a mixin of one, that answers the calls its code makes.

    Every call of a mocked function is answered here, whichever container it comes from; calls of
    other functions are really made. Mocks end with the test.
    """

    _rpc_mocks: _RpcMocks | None = None

    def setUp(self) -> None:
        """Begin without mocks and without calls."""
        self._mocks()
        super().setUp()

    @property
    def rpc_mock_calls(self) -> list[Call]:
        """The calls of mocked functions so far, each as ``mock.call('echo.upper', text='foo')``."""
        return self._mocks().calls

    def setup_rpc_mocks(self, rpc_functions: Mapping[str, Any]) -> None:
        """Mock functions: ``{'<service name>.<function name>': <return value>}``.

        A value that is an exception, or a class of exceptions, is raised. Raises ValueError for
        names of another form.
        """
        for name in rpc_functions:
            if '.' not in name:
                raise ValueError(f"expected a name like 'echo.upper', found {name!r}")
        self._mocks().results.update(rpc_functions)

    def update_rpc_mock(self, func_name: str, return_value: Any) -> None:
        """Give a mocked function another return value; raises KeyError if it is not mocked."""
        self._mocks().need(func_name)
        self._mocks().results[func_name] = return_value

    def delete_rpc_mock(self, func_name: str) -> None:
        """Let calls of a mocked function be made again; raises KeyError if it is not mocked."""
        self._mocks().need(func_name)
        del self._mocks().results[func_name]

    def assert_rpc_calls(self, *expected_calls: Call) -> None:
        """Fail unless exactly these calls of mocked functions were made, in this order.

        Each is a ``mock.call('echo.upper', text='foo')``; values may be PyHamcrest matchers.
        """
        self._check(Expectation(self.rpc_mock_calls).exactly(expected_calls))

    def assert_any_rpc_calls(self, *expected_calls: Call) -> None:
        """Fail unless these calls of mocked functions were made in this order, others aside."""
        self._check(Expectation(self.rpc_mock_calls).in_order(expected_calls))

    def _check(self, problem: str | None) -> None:
        if problem is not None:
            raise self.failureException(problem)

    def _mocks(self) -> _RpcMocks:
        # on demand, so that a setUp that forgets its super() does no harm
        if self._rpc_mocks is None:
            self._rpc_mocks = _RpcMocks()
            patcher = self._rpc_mocks.patcher()
            patcher.start()
            self.addCleanup(self._end_mocks, patcher)
        return self._rpc_mocks

    def _end_mocks(self, patcher: Any) -> None:
        patcher.stop()
        self._rpc_mocks = None


class _RpcMocks:
    """What is mocked, and what was called."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.calls: list[Call] = []

    def need(self, name: str) -> None:
        if name not in self.results:
            close = close_name(name, self.results)
            advice = f'; did you mean {close!r}?' if close else ''
            raise KeyError(f'{name!r} is not mocked{advice}')

    def patcher(self) -> Any:
        """Return the patch of the one way out for calls."""
        real = ServiceContainer.request

        @functools.wraps(real)
        def request(
            container: ServiceContainer,
            address: str,
            subject: str,
            body: Mapping[str, Any] | bytes | None = None,
            options: CallOptions = DEFAULT_OPTIONS,
            **changes: Unpack[CallKeywords],
        ) -> Any:
            if subject not in self.results:
                return real(container, address, subject, body, options, **changes)
            if changes:
                options.changed(subject, changes)  # invalid ones fail as they would on a real call
            return self._answer(subject, body or {})

        return mock.patch.object(ServiceContainer, 'request', request)

    def _answer(self, subject: str, body: Mapping[str, Any] | bytes) -> Any:
        if isinstance(body, bytes):  # of a deferred call
            arguments = unpack(body)
        else:
            pack(body)  # what could not travel fails as it would on a real call
            arguments = body
        self.calls.append(mock.call(subject, **arguments))
        result = self.results[subject]
        if isinstance(result, BaseException):
            raise result.with_traceback(None)
        if isinstance(result, type) and issubclass(result, BaseException):
            raise result
        return result
