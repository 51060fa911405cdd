"""The command: measure discovery and write the tables.

python -m bench.discovery [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from bench import cores
from bench.command import Command
from bench.discovery.report import report
from bench.discovery.standing import Changes, Lookups, Standing, Subject
from bench.machine import describe
from lymph import monkey
from lymph.testing._servers.zookeeper import ZookeeperServer

__all__ = ['main']

_DISTRIBUTIONS = ('lymph-core', 'lymph-discovery-zk', 'gevent', 'kazoo')
_SIZES = 1, 100, 1000
_SESSION = 4.0  # seconds; with ZooKeeper a killed process is gone after its session
_FULL = 0.5, 7  # seconds of a slice, rounds
_QUICK = 0.1, 1


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    command = Command('discovery', __doc__, arguments)
    seconds, rounds = _QUICK if command.quick else _FULL
    monkey.patch()
    machine = describe(_DISTRIBUTIONS)  # before this process keeps to one core
    lookups: dict[Subject, list[Lookups]] = {}
    changes: dict[Subject, list[Changes]] = {}
    with _standings(command) as standings:
        for number in range(rounds):
            command.progress(f'round {number + 1} of {rounds}')
            for standing in standings if number % 2 == 0 else reversed(standings):
                found = standing.measure_lookups(seconds)
                lookups.setdefault(standing.subject, []).append(found)
                changes.setdefault(standing.subject, []).append(standing.measure_change())
    tables = report(lookups, changes)
    text = (
        f'{machine}\nMedians of {rounds} rounds;'
        f' sessions with ZooKeeper end after {_SESSION:g} s.\n\n{tables}'
    )
    command.publish(text)


@contextmanager
def _standings(command: Command) -> Iterator[list[Standing]]:
    """Have all subjects stand ready."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix='lymph-'))
        server = stack.enter_context(ZookeeperServer())
        cores.pin(cores.CLIENT)  # the server runs where there is room
        standings = []
        for registry in ('embedded', 'zookeeper'):
            for size in _SIZES:
                command.progress(f'{size} instances, {registry}')
                sections: dict[str, dict[str, Any]] = {
                    'embedded': {'path': f'{folder}/{size}'},
                    'zookeeper': {
                        'zkclient': {'hosts': server.hosts, 'timeout': _SESSION},
                        'chroot': f'/bench/{size}',
                    },
                }
                section = {'class': registry, **sections[registry]}
                standing = Standing(Subject(registry, size), section)
                standings.append(stack.enter_context(closing(standing)))
        yield standings


if __name__ == '__main__':
    main()
