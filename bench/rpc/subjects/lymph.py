"""`lymph`: a service and a client as their authors write them, nothing switched off.

Both are made from a configuration, with the static registry. Each call looks its service up by
name, has an instance chosen for it, carries a trace id and a deadline, and is checked against the
method's signature and counted.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle

import gevent
import gevent.event

import lymph
from bench.driving import greenlets as driving
from lymph import monkey
from lymph.client import Client
from lymph.config import Configuration
from lymph.core._declaring.proxies import Proxy
from lymph.core.assembly import build_container

__all__ = ['Echo', 'connect', 'driving', 'serve']

_TIMEOUT = 30.0  # seconds; a slice on a busy machine is to be slow, not to fail
_FOR_EVER = 3600.0  # seconds


class Echo(lymph.Interface):
    def on_start(self) -> None:
        self.held = 0

    @lymph.rpc()
    def echo(self, text=None):  # type: ignore[no-untyped-def]  # as services are written
        """Return the text."""
        return text

    @lymph.rpc()
    def hold(self) -> None:
        """Answer never."""
        self.held += 1
        gevent.event.Event().wait()

    @lymph.rpc()
    def count_held(self) -> int:
        """Return how many calls of `hold` have arrived."""
        return self.held


def serve(ready: Callable[[str], None], transport: str = 'zmtp', ip: str = '127.0.0.1') -> None:
    """Serve; with the ip 0.0.0.0 at all addresses of the loopback network."""
    monkey.patch()
    config = Configuration(
        {
            'container': {
                'ip': ip,
                'registry': {'class': 'static'},
                'events': {'class': 'null'},
                'rpc': {'transport': transport},
            },
            'interfaces': {'echo': {'class': f'{__name__}:Echo'}},
        }
    )
    container = build_container(config)
    container.start()
    assert container.endpoint is not None
    ready(container.endpoint)
    container.join()


def connect(
    endpoint: str, transport: str = 'zmtp', instances: int = 1, clients: int = 1, pending: int = 0
) -> Callable[[str], object]:
    """Return a call of ``echo.echo``.

    With several `instances` the registry knows as many endpoints of the server, with several
    `clients` they make the calls in turn, each on connections of its own. As many calls as
    `pending` says are waiting for an answer all the time.
    """
    monkey.patch()
    endpoints = _endpoints(endpoint, instances)
    made = [_client(endpoints, transport) for _ in range(clients)]
    _hold(made[0], pending)
    proxies = [client.proxy('echo', timeout=_TIMEOUT) for client in made]
    for proxy in proxies:
        for _ in range(2 * instances):  # have most connections made
            proxy.echo(text='x')
    return _in_turn(proxies)


def _in_turn(proxies: list[Proxy]) -> Callable[[str], object]:
    if len(proxies) == 1:
        (proxy,) = proxies
        return lambda text: proxy.echo(text=text)
    following = cycle(proxies).__next__
    return lambda text: following().echo(text=text)


def _client(endpoints: list[str], transport: str) -> Client:
    return Client.from_config(
        Configuration(
            {
                'container': {
                    'registry': {'class': 'static', 'services': {'echo': endpoints}},
                    'events': {'class': 'null'},
                    'rpc': {'transport': transport},
                }
            }
        )
    )


def _endpoints(endpoint: str, count: int) -> list[str]:
    """Return `count` different endpoints that all lead to one server.

    The whole network 127.0.0.0/8 is this machine (on Linux), so that each is connected to by
    itself, as an instance elsewhere would be.
    """
    port = endpoint.rpartition(':')[2]
    if count == 1:
        return [f'tcp://127.0.0.1:{port}']
    return [f'tcp://127.0.{1 + i // 250}.{1 + i % 250}:{port}' for i in range(count)]


def _hold(client: Client, count: int) -> None:
    """Have `count` calls that wait."""
    waiting = client.proxy('echo', timeout=_FOR_EVER)
    for _ in range(count):
        gevent.spawn(waiting.hold)
    while waiting.count_held() < count:
        gevent.sleep(0.01)
