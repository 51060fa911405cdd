"""Answers to calls of other services, given by the test. Source: the manual, section 5.8."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from unittest import mock

from lymph.config.suggestions import close_name
from lymph.core import trace
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions
from lymph.core.container import ServiceContainer
from lymph.core.failures import another
from lymph.core.transport.endpoints import endpoint_of
from lymph.exceptions import RpcError
from lymph.serializers.msgpack import pack, unpack
from lymph.testing._cases.cases import TestCase
from lymph.testing._mocks.expectations import Expectation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.call_options import CallKeywords
    from lymph.testing._mocks.expectations import Call

__all__ = ['RpcMockTestCase']


class RpcMockTestCase(TestCase):
    """A test case, or a mixin for one, that answers the calls of the code under test.

    Calls of mocked functions are answered here, from whatever container they come; calls of other
    functions are made as usual. Mocks end with the test.
    """

    _rpc_mocks: _RpcMocks | None = None

    def setUp(self) -> None:
        """Start without mocks and without calls."""
        self._mocks()
        super().setUp()

    @property
    def rpc_mock_calls(self) -> list[Call]:
        """The calls of mocked functions so far, each as ``mock.call('echo.upper', text='foo')``."""
        return self._mocks().calls

    def setup_rpc_mocks(self, rpc_functions: Mapping[str, Any]) -> None:
        """Mock functions: ``{'<service name>.<function name>': <return value>}``.

        A value that is an exception, or a class of exceptions, is raised by the call. An `RpcError`
        is raised as a copy that has the facts of the call, as errors of real calls have.

        Raises ValueError for a name without a dot.
        """
        for name in rpc_functions:
            if '.' not in name:
                raise ValueError(f"expected a name like 'echo.upper', found {name!r}")
        self._mocks().results.update(rpc_functions)

    def update_rpc_mock(self, func_name: str, return_value: Any) -> None:
        """Change the return value of a mocked function. Raises KeyError if it is not mocked."""
        self._mocks().need(func_name)
        self._mocks().results[func_name] = return_value

    def delete_rpc_mock(self, func_name: str) -> None:
        """End the mock of one function. Raises KeyError if the function is not mocked."""
        self._mocks().need(func_name)
        del self._mocks().results[func_name]

    def assert_rpc_calls(self, *expected_calls: Call) -> None:
        """Fail unless exactly these calls of mocked functions were made, in this order.

        Each is a ``mock.call('echo.upper', text='foo')``; values may be PyHamcrest matchers. Raises
        the test case's failure, an AssertionError, which lists expected and actual calls.
        """
        self._check(Expectation(self.rpc_mock_calls).exactly(expected_calls))

    def assert_any_rpc_calls(self, *expected_calls: Call) -> None:
        """Fail unless these calls of mocked functions were made in this order.

        Other calls may have been made between them. Raises as `assert_rpc_calls` does.
        """
        self._check(Expectation(self.rpc_mock_calls).in_order(expected_calls))

    def _check(self, problem: str | None) -> None:
        """Raise the test case's failure if there is a problem."""
        if problem is not None:
            raise self.failureException(problem)

    def _mocks(self) -> _RpcMocks:
        # On demand: a setUp that does not call super() does no harm.
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
    """The mocked functions with their results, and the calls of them so far."""

    def __init__(self) -> None:
        self.results: dict[str, Any] = {}
        self.calls: list[Call] = []

    def need(self, name: str) -> None:
        """Raise KeyError if a function is not mocked."""
        if name not in self.results:
            close = close_name(name, self.results)
            advice = f'; did you mean {close!r}?' if close else ''
            raise KeyError(f'{name!r} is not mocked{advice}')

    def patcher(self) -> Any:
        """Return the patch of `ServiceContainer.request`, through which all calls go."""
        real = ServiceContainer.request

        @functools.wraps(real)
        def request(
            container: ServiceContainer,
            address: str,
            subject: str,
            body: Mapping[str, Any] | bytes | None = None,
            *,
            options: CallOptions = DEFAULT_OPTIONS,
            **changes: Unpack[CallKeywords],
        ) -> Any:
            if subject not in self.results:
                return real(container, address, subject, body, options=options, **changes)
            if changes:
                # invalid ones fail as they would on a real call
                options = options.changed(subject, changes, address)
            try:
                return self._answer(subject, body or {})
            except RpcError as error:
                timeout = options.timeout
                error.add_facts(
                    subject=subject,
                    endpoint=endpoint_of(address),
                    timeout=container.settings.rpc_timeout if timeout is None else timeout,
                    trace_id=options.trace_id or trace.get_id() or trace.new_id(),
                )
                raise

        return mock.patch.object(ServiceContainer, 'request', request)

    def _answer(self, subject: str, body: Mapping[str, Any] | bytes) -> Any:
        """Return the result of a mocked function, or raise it if it is an exception."""
        if isinstance(body, bytes):  # a deferred call, which is already packed
            arguments = unpack(body)
        else:
            pack(body)  # arguments that cannot be packed fail as in a real call
            arguments = body
        self.calls.append(mock.call(subject, **arguments))
        result = self.results[subject]
        if isinstance(result, RpcError):
            raise another(result).with_traceback(None)
        if isinstance(result, BaseException):
            raise result.with_traceback(None)
        if isinstance(result, type) and issubclass(result, BaseException):
            raise result
        return result
