"""Calling an allowed method with JSON arguments."""

from __future__ import annotations

import logging
from typing import Any, Final

from lymph.core.call_options import CallOptions
from lymph.core.failures import error_line
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.transport.base import MessageTooLong
from lymph.core.versioning import parse_version
from lymph.exceptions import (
    LookupFailure,
    NotConnected,
    RpcError,
    SerializationError,
)
from lymph.web._gateway.allowed import BUILTIN, Allowed, split_name
from lymph.web._gateway.hosts import CallingHost
from lymph.web._gateway.json_values import as_json, read_arguments
from lymph.web._gateway.problems import CallProblem, problem_of, unknown

__all__ = ['Calls']

logger = logging.getLogger(__name__)

_LONGEST: Final = 31_536_000.0  # seconds; a year


class Calls:
    """Makes calls of allowed methods, each of which may take `limit` seconds at most."""

    def __init__(self, allowed: Allowed, host: CallingHost, limit: float) -> None:
        self._allowed = allowed
        self._host = host
        self._limit = limit
        self._log = LimitedLog(logger)

    def expect_allowed(self, name: str) -> tuple[str, str]:
        """Return interface and method of an allowed name. Raises CallProblem for any other."""
        parts = split_name(name)
        if parts is None or not self._allowed.admits(*parts):
            raise unknown()
        return parts

    def call(
        self, name: str, arguments: Any, timeout: float | None = None, version: str | None = None
    ) -> Any:
        """Make a call with arguments as `parse_json` returns them; see `make`.

        Raises CallProblem.
        """
        self.expect_allowed(name)
        try:
            body = read_arguments(arguments)
        except ValueError as error:
            raise CallProblem(400, 'malformed', f'The arguments cannot be read: {error}') from None
        return self.make(name, body, timeout, version)

    def make(
        self,
        name: str,
        arguments: dict[str, Any],
        timeout: float | None = None,
        version: str | None = None,
    ) -> Any:
        """Call ``interface.method`` and return its result as a value of JSON types.

        `timeout` (seconds) can only shorten the limit. Raises CallProblem.
        """
        interface, _ = self.expect_allowed(name)
        options = CallOptions(timeout=self._seconds(timeout), version=_checked_version(version))
        return self._result(name, self._request(interface, name, arguments, options))

    def close(self) -> None:
        """Log how many lines were left out."""
        self._log.close()

    def _seconds(self, timeout: float | None) -> float:
        if timeout is None:
            return self._limit
        if not 0 < timeout <= _LONGEST:
            text = 'The timeout has to be a number of seconds above 0.'
            raise CallProblem(400, 'malformed', text)
        return min(timeout, self._limit)

    def _request(
        self, interface: str, name: str, arguments: dict[str, Any], options: CallOptions
    ) -> Any:
        address: str | None = interface
        if interface == BUILTIN:  # every instance has it, and none registers it
            address = self._host.endpoint
        try:
            if address is None:
                raise NotConnected
            return self._host.request(address, name, arguments, options=options)
        except LookupFailure as error:
            raise self._not_found(interface, options.version, error) from error
        except RpcError as error:
            raise problem_of(error, arguments) from error
        except MessageTooLong as error:
            text = 'The arguments are larger than a message may be.'
            raise CallProblem(413, 'too_large', text) from error
        except SerializationError as error:
            text = f'The arguments cannot be sent: {error_line(error)}'
            raise CallProblem(400, 'malformed', text) from error

    def _not_found(self, interface: str, version: str | None, error: LookupFailure) -> CallProblem:
        if error.service is not None:
            # only clients that may know of it learn that it is down
            return problem_of(error) if self._allowed.names(interface) else unknown()
        if version is not None and self._host.registry.known(interface) is not None:
            return CallProblem(404, 'unknown_version', 'No instance serves this version.')
        return problem_of(error)

    def _result(self, name: str, result: Any) -> Any:
        try:
            return as_json(result)
        except SerializationError as error:
            self._log.write(logging.ERROR, name, '%s: the %s', name, error_line(error))
            text = 'The method has returned what has no form in JSON.'
            problem = CallProblem(500, 'unreadable_result', text, may_have_run=True)
            raise problem from error


def _checked_version(version: str | None) -> str | None:
    try:
        if version is not None:
            parse_version(version)
    except ValueError as error:
        raise CallProblem(400, 'malformed', f'The version is wrong: {error}') from None
    return version
