"""A process with a service to attack: python -m fuzz.attacked TRANSPORT

It prints the endpoint for calls and the port for HTTP, and answers `probe.report` with how it fared
since the report before.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import gevent
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from fuzz.findings import resident
from lymph.config import Configuration
from lymph.core.container import ServiceContainer
from lymph.core.decorators import rpc
from lymph.core.interfaces import Interface
from lymph.exceptions import RpcError
from lymph.web import WebServiceInterface

__all__ = ['Probe', 'main']


class LoopWatch:
    """The longest turn of the event loop, in seconds of processor time."""

    def __init__(self) -> None:
        self.longest = 0.0
        self._last = time.thread_time()
        self._watcher = gevent.get_hub().loop.check()
        self._watcher.start(self._turn)

    def take(self) -> float:
        """Return the longest turn since this was called before."""
        longest, self.longest = self.longest, 0.0
        return longest

    def restart(self) -> None:
        """Take no account of what this turn has cost so far."""
        self._last = time.thread_time()

    def _turn(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now


class Probe(Interface):
    """What well-behaved callers call while others attack."""

    def on_start(self) -> None:
        """Begin to watch the loop."""
        super().on_start()
        self._watch = LoopWatch()

    @rpc()
    def echo(self, value: Any = None) -> Any:
        """Return the value."""
        return value

    @rpc()
    def report(self) -> dict[str, float]:
        """Return the longest turn of the loop since the last report, and the memory held."""
        longest = self._watch.take()
        memory = resident()
        self._watch.restart()
        return {'longest_turn': longest, 'memory': memory}

    @rpc()
    def call(self, endpoint: str) -> str:
        """Call a stranger and return how that ended."""
        try:
            self.request(endpoint, 'a.b', {}, timeout=0.5)
        except RpcError as error:
            return type(error).__name__
        return 'a result'


#: so that all that reads header fields is attacked
_EVERY_OPTION = {
    'timeout': 60,
    'trusted_proxies': ['127.0.0.0/8', 'unix'],
    'cors': {'origins': ['https://*.example.org'], 'headers': ['*'], 'methods': ['*']},
    'compression': {'min_size': 1},
    'cookies': {'secure': True, 'samesite': 'Lax'},
}


class Pages(WebServiceInterface):
    """What browsers ask for."""

    url_map = Map([Rule('/', endpoint='index'), Rule('/<path:path>', endpoint='index')])

    def index(self, request: Request, path: str = '') -> Response:
        """Read the body and tell its length, and what the header fields say of the client."""
        text = f'{len(request.get_data())} {request.remote_addr} {request.url}'
        response = Response(text.encode(errors='replace'))
        response.set_cookie('seen', 'yes')
        return response


def main() -> None:
    """Serve until the standard input ends."""
    container = ServiceContainer.from_config(
        Configuration(
            {
                'container': {
                    'registry': {'class': 'static'},
                    'events': {'class': 'null'},
                    'rpc': {'transport': sys.argv[1], 'max_message_size': 4_000_000},
                }
            }
        ).view('container')
    )
    container.install_interface(Probe, 'probe')
    pages = container.install_interface(Pages, 'pages', config=_EVERY_OPTION)
    container.start(register=False)
    assert isinstance(pages, Pages)
    sys.stdout.write(f'{container.endpoint} {pages.http_port}\n')
    sys.stdout.flush()
    gevent.get_hub().threadpool.apply(sys.stdin.read)
    container.stop()


if __name__ == '__main__':
    main()
