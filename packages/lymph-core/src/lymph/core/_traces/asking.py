"""Asks all instances one question: at the same time, each for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from gevent.pool import Pool

from lymph.config.printable import printable
from lymph.core.call_options import DEFAULT_OPTIONS, CallOptions
from lymph.core.failures import error_text
from lymph.discovery.base import HTTP, RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure, LymphError, Refused

__all__ = ['Asker', 'Endpoints', 'TraceAnswer', 'ask', 'find_endpoints', 'unique']

_AT_ONCE: Final = 100
_IN_ALL: Final = 10.0  # times the timeout of one instance
_PROBLEM: Final = 300  # characters
_NOT_ASKED: Final = 'not asked: too many others did not answer'
_OLD: Final = 'it runs an older lymph, which keeps no traces'
_NO_MAP: Final = 'its answer is no map'

#: the services at each endpoint
Endpoints = Mapping[str, Sequence[str]]


class Asker(Protocol):
    """What is needed of a container."""

    @property
    def registry(self) -> BaseServiceRegistry:
        """The registry."""

    def request(
        self,
        address: str,
        subject: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        options: CallOptions = DEFAULT_OPTIONS,
    ) -> Any:
        """Make a call; returns its result, raises RpcError."""


class TraceAnswer(NamedTuple):
    """The answer of the instance at an endpoint; without one, `problem` says why."""

    endpoint: str
    services: str
    answer: Mapping[str, Any]
    problem: str = ''


def find_endpoints(registry: BaseServiceRegistry) -> dict[str, list[str]]:
    """Return the endpoints of all instances, and the services at each of them.

    Raises LookupFailure when the registry does not answer.
    """
    names = [(space, name) for space in (RPC, HTTP) for name in sorted(registry.discover(space))]

    def look_up(asked: tuple[str, str]) -> list[tuple[str, str]]:
        space, name = asked
        try:
            return [(name, each.endpoint) for each in registry.get(name, space)]
        except LookupFailure:
            return []  # it has left since it was seen

    found: dict[str, list[str]] = {}
    for pairs in Pool(_AT_ONCE).map(look_up, names):
        for name, endpoint in pairs:
            known = found.setdefault(endpoint, [])
            if name not in known:
                known.append(name)
    return found


def ask(
    container: Asker,
    endpoints: Endpoints,
    subject: str,
    body: Mapping[str, Any],
    timeout: float,
) -> list[TraceAnswer]:
    """Ask the instances at `endpoints`, each for `timeout` seconds; return what they say.

    All together take at most ten times as long; those that are not asked by then are told.
    """
    until = time.monotonic() + _IN_ALL * timeout

    def ask_one(endpoint: str) -> TraceAnswer:
        services = ', '.join(sorted(endpoints[endpoint]))
        left = min(timeout, until - time.monotonic())
        if left <= 0:
            return TraceAnswer(endpoint, services, {}, _NOT_ASKED)
        try:
            answer = container.request(
                endpoint, subject, body, options=CallOptions(timeout=left, retries=0)
            )
        except LymphError as error:
            return TraceAnswer(endpoint, services, {}, _problem(error, endpoint))
        if not isinstance(answer, Mapping):
            return TraceAnswer(endpoint, services, {}, _NO_MAP)
        return TraceAnswer(endpoint, services, answer)

    return list(Pool(_AT_ONCE).map(ask_one, list(endpoints)))


def _problem(error: LymphError, endpoint: str) -> str:
    if isinstance(error, Refused) and error.reason == 'unknown_method':
        return _OLD
    return printable(error_text(error).removeprefix(f'{endpoint}: '), _PROBLEM)


def unique(asked: Iterable[TraceAnswer]) -> list[TraceAnswer]:
    """Return the answers, each instance once: it may be registered at several endpoints."""
    found: dict[object, TraceAnswer] = {}
    for each in asked:
        identity = each.answer.get('identity')
        found.setdefault(identity if isinstance(identity, str) else each.endpoint, each)
    return list(found.values())
