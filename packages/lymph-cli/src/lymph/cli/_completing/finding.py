"""Asks the registry for services, and the services for their methods and the latest traces."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from gevent.pool import Pool

from lymph.cli._completing.known import Known, Method
from lymph.cli._display.trace_rows import work_text
from lymph.cli._program.configuring import load_configuration
from lymph.cli._program.meanings import read_methods
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.core.monitoring.traces import latest_traces
from lymph.discovery.base import HTTP, RPC
from lymph.exceptions import RpcError

__all__ = ['find', 'find_traces', 'service_methods']

#: Services that are asked for their methods, as many at a time, and what is taken of each.
_MOST_SERVICES = 100
_AT_ONCE = 20
_MOST_METHODS = 200
#: Characters of the first line of a documentation.
_HELP = 200
#: Seconds for an answer.
_PATIENCE = 2.0
_WORKERS = '.worker'
_MOST_TRACES = 20
#: Seconds for each instance to tell its traces.
_TRACES = 1.0


def find(settings: Settings) -> Iterator[Known]:
    """Yield the services, and then the services with their methods.

    Raises whatever keeps a client from its start.
    """
    with Client.from_config(load_configuration(settings), plugins=False) as client:
        registry = {*client.container.discover(RPC)}
        services = tuple(sorted(registry | {*client.container.discover(HTTP)}))
        yield Known(services)
        asked = sorted(name for name in registry if not name.endswith(_WORKERS))
        replies = Pool(_AT_ONCE).map(lambda name: _ask(client, name), asked[:_MOST_SERVICES])
        yield Known(services, tuple(method for reply in replies for method in reply), complete=True)


def find_traces(settings: Settings) -> Iterator[Known]:
    """Yield the latest traces; raises whatever keeps a client from its start."""
    with Client.from_config(load_configuration(settings), plugins=False) as client:
        found = latest_traces(client.container, _MOST_TRACES, timeout=_TRACES)
    yield Known(
        complete=True,
        traces=tuple(
            Method(each.trace_id, f'{work_text(each.kind, each.name)}: {each.outcome}'[:_HELP])
            for each in found.traces
        ),
    )


def _ask(client: Client, name: str) -> list[Method]:
    try:
        reply = client.request(name, 'lymph.inspect', timeout=_PATIENCE)
    except RpcError:
        return []
    return service_methods(reply, name)


def service_methods(reply: Any, service: str) -> list[Method]:
    """Return the methods of the service's own interface, whatever it was that described them."""
    own = (each for each in read_methods(reply) if each.name.rpartition('.')[0] == service)
    return [
        Method(each.name, next(iter(each.help.strip().splitlines()), '')[:_HELP], each.params)
        for each in itertools.islice(own, _MOST_METHODS)
    ]
