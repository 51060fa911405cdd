"""Asks the registry for services, and the services for their methods."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from gevent.pool import Pool

from lymph.cli.completing.known import Known, Method
from lymph.cli.configuring import load_configuration
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.discovery.base import HTTP, RPC
from lymph.exceptions import RpcError

__all__ = ['find']

#: Services that are asked for their methods, as many at a time, and what is taken of each.
_MOST_SERVICES = 100
_AT_ONCE = 20
_MOST_METHODS = 200
#: Seconds for an answer.
_PATIENCE = 2.0
_WORKERS = '.worker'

_PARAMETER = re.compile(r'[A-Za-z_]\w*')


def find(settings: Settings) -> Iterator[Known]:
    """Yield the services, and then the services with their methods.

    Raises whatever keeps a client from its start.
    """
    with Client.from_config(load_configuration(settings)) as client:
        registry = {*client.container.discover(RPC)}
        services = tuple(sorted(registry | {*client.container.discover(HTTP)}))
        yield Known(services)
        asked = sorted(name for name in registry if not name.endswith(_WORKERS))
        replies = Pool(_AT_ONCE).map(lambda name: _ask(client, name), asked[:_MOST_SERVICES])
        yield Known(services, tuple(method for reply in replies for method in reply), complete=True)


def _ask(client: Client, name: str) -> list[Method]:
    try:
        reply = client.request(name, 'lymph.inspect', timeout=_PATIENCE)
    except RpcError:
        return []
    found = reply.get('methods') if isinstance(reply, dict) else None
    methods = [_method(each, name) for each in found or () if isinstance(found, list)]
    return [method for method in methods if method is not None][:_MOST_METHODS]


def _method(found: Any, service: str) -> Method | None:
    """Return a method of the service's own interface, whatever it was that described it."""
    name = found.get('name') if isinstance(found, dict) else None
    if not isinstance(name, str) or name.rpartition('.')[0] != service:
        return None
    text, params = found.get('help'), found.get('params')
    lines = text.strip().splitlines() if isinstance(text, str) else []
    names = params if isinstance(params, list) else []
    matches = (_PARAMETER.match(each) for each in names if isinstance(each, str))
    return Method(name, lines[0][:200] if lines else '', tuple(m[0] for m in matches if m))
