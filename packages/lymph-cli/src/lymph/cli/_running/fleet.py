"""Asks instances how they are: all at once, each for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from gevent.pool import Pool

from lymph.core.container import ServiceContainer
from lymph.core.diagnosis import Answer
from lymph.core.failures import error_text
from lymph.core.services import ServiceInstance
from lymph.exceptions import LookupFailure, LymphError

__all__ = ['Members', 'ask_all', 'by_endpoint', 'find_all']

#: by their endpoints, instances with the names they are registered under
Members = dict[str, list[tuple[str, ServiceInstance]]]

_AT_ONCE = 200
_TIMEOUT = 3.0  # seconds for one instance
_ALL = 20.0  # seconds for all of them
_NOT_ASKED = 'not asked: too many others did not answer'


def find_all(container: ServiceContainer, namespaces: Iterable[str]) -> Members:
    """Return all instances that are registered; raises LookupFailure without a registry."""
    registry = container.registry
    names = [(space, name) for space in namespaces for name in sorted(registry.discover(space))]

    def look_up(asked: tuple[str, str]) -> list[tuple[str, ServiceInstance]]:
        space, name = asked
        try:
            return [(name, each) for each in registry.get(name, space)]
        except LookupFailure:
            return []  # it has left since it was seen

    return by_endpoint(pair for found in Pool(_AT_ONCE).map(look_up, names) for pair in found)


def by_endpoint(pairs: Iterable[tuple[str, ServiceInstance]]) -> Members:
    """Return pairs of a name and an instance by the endpoints of the instances."""
    members: Members = {}
    for name, instance in pairs:
        members.setdefault(instance.endpoint, []).append((name, instance))
    return members


def ask_all(
    container: ServiceContainer, members: Members, timeout: float = _TIMEOUT, total: float = _ALL
) -> list[Answer]:
    """Ask all instances at once, and return what they say, in the order of `members`.

    Each has `timeout` seconds to answer, and all of them together `total`.
    """
    until = time.monotonic() + total

    def ask(endpoint: str) -> Answer:
        return _ask(container, members[endpoint], min(timeout, until - time.monotonic()))

    return list(Pool(_AT_ONCE).map(ask, members))


def _ask(
    container: ServiceContainer, found: Sequence[tuple[str, ServiceInstance]], timeout: float
) -> Answer:
    members, endpoint = tuple(found), found[0][1].endpoint
    if timeout <= 0:
        return Answer(members, error=_NOT_ASKED)
    asked = time.time()
    try:
        status = container.request(endpoint, 'lymph.status', timeout=timeout, retries=0)
    except LymphError as error:
        text = error_text(error).removeprefix(f'{endpoint}: ')
        return Answer(members, error=text, kind=type(error).__name__)
    if not isinstance(status, dict):
        return Answer(members, error='its lymph.status is no map', kind='Wrong')
    return Answer(members, status, asked=asked, answered=time.time())
