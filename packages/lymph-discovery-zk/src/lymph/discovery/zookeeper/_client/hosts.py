"""Resolve the host names of a kazoo client's servers concurrently and with a time limit.

kazoo resolves one name after the other, without a time limit of its own, and blocks the loop if
the standard library is not patched. If a version of kazoo has other private methods than expected,
its own look-up stays in use.
"""

from __future__ import annotations

import functools
import random
from typing import Any

import gevent
from kazoo.client import KazooClient
from kazoo.protocol.connection import ConnectionHandler

from lymph.core._system.private_parts import as_expected, assigns, takes
from lymph.core._system.resolving import resolver

__all__ = ['bound_look_ups']

_LOOK_UP = 2.0  # seconds; kazoo tries again, with its own backoff

_REPLACEABLE = as_expected(
    'kazoo',
    'ConnectionHandler._expand_client_hosts',
    lambda: (
        takes(ConnectionHandler._expand_client_hosts, 'self')  # noqa: SLF001
        and assigns(ConnectionHandler._connect_loop, '_expand_client_hosts')  # noqa: SLF001
        and assigns(KazooClient.__init__, '_connection')
    ),
)

_Place = tuple[str, str, int]  # the name, its address, the port


def bound_look_ups(client: Any) -> None:
    """Make `client` resolve the names of its servers within 2 s. kazoo has no option for this."""
    if _REPLACEABLE:
        client._connection._expand_client_hosts = functools.partial(_places, client)  # noqa: SLF001


def _places(client: Any) -> list[_Place]:
    """Return the servers to try, without those whose names are not resolved in time."""
    asked = [gevent.spawn(_look_up, client, host.strip(), port) for host, port in client.hosts]
    gevent.joinall(asked)
    places = [place for each in asked for place in each.get()]
    if client.randomize_hosts:
        random.shuffle(places)
    return places


def _look_up(client: Any, host: str, port: int) -> list[_Place]:
    try:
        found = resolver().addresses(host, port, _LOOK_UP)
    except OSError as error:
        client.logger.warning('cannot find %s: %s', host, error.strerror or error)
        return []
    return [(host, str(where[0]), port) for _, where in found]
