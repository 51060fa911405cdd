"""A process that owns instances of the service `echo`.

    python -m bench.discovery.owner CONFIG COUNT

It writes an empty line when it is ready to start, and starts at a line of standard input. When it
is registered it writes when it began, in seconds of the clock that all processes share. It ends
with its standard input. CONFIG is a configuration as JSON. Of COUNT instances the first is real,
the others are entries in the registry that lead to it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import replace

import gevent

import lymph
from bench import cores
from lymph import monkey
from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.core.container import ServiceContainer
from lymph.core.services import ServiceInstance

__all__ = ['Echo', 'main']


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text=None):  # type: ignore[no-untyped-def]  # as services are written
        """Return the text."""
        return text


def main(config: str, count: str) -> None:
    """Own instances until standard input ends."""
    monkey.patch()
    cores.pin(cores.SERVER)
    container = build_container(
        Configuration(
            {**json.loads(config), 'interfaces': {'echo': {'class': 'bench.discovery.owner:Echo'}}}
        )
    )
    _say('')
    sys.stdin.readline()
    began = time.monotonic()
    container.start()
    _register_more(container, int(count) - 1)
    _say(repr(began))
    gevent.get_hub().threadpool.apply(sys.stdin.readline)
    container.stop()


def _register_more(container: ServiceContainer, count: int) -> None:
    assert container.endpoint is not None
    # with as many facts as a real one has
    facts = ServiceInstance(
        identity=container.identity,
        endpoint=container.endpoint,
        hostname='host',
        fqdn='host.example.org',
        ip='127.0.0.1',
        pid=os.getpid(),
        started=time.time(),
    )
    for number in range(count):
        identity = f'{container.identity}{number}'
        container.registry.register('echo', replace(facts, identity=identity))


def _say(line: str) -> None:
    sys.stdout.write(f'{line}\n')
    sys.stdout.flush()


if __name__ == '__main__':
    main(*sys.argv[1:])
