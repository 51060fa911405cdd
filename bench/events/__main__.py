"""The command: measure events and write the tables.

python -m bench.events [--quick] [--page docs/performance.md]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from tempfile import TemporaryDirectory

import psutil

from bench.command import Command
from bench.contest import Contest
from bench.events.contenders import SUBJECTS, Orders
from bench.events.pairs import Pair
from bench.events.report import report
from bench.events.slices import Result, Slice
from bench.machine import describe, load
from lymph.testing._servers.rabbitmq import RabbitmqServer

__all__ = ['main']

_DISTRIBUTIONS = (
    *('lymph-core', 'lymph-events-kombu', 'gevent', 'amqp', 'kombu', 'nameko', 'eventlet'),
    *('faststream', 'aio-pika'),
)
# seconds of a slice, rounds
_FULL = 1.5, 7
_QUICK = 0.5, 2


def main(arguments: list[str] | None = None) -> None:
    """Measure everything, print the tables and, unless it was a quick run, write the page."""
    command = Command('events', __doc__, arguments)
    seconds, rounds = _QUICK if command.quick else _FULL
    before = load()
    orders = Orders.of(seconds)
    contest: Contest[Slice, Result] = Contest()
    with RabbitmqServer() as server:
        version = server.control('version').strip()
        with _standing(server) as pairs:
            contest.hold(pairs, orders.all(), rounds, orders.concern, command.progress)
    text = (
        f'{describe(_DISTRIBUTIONS)}\nRabbitMQ {version}.\n'
        f'Medians of {rounds} rounds; load of the machine before: {before:.1f}.\n\n'
        f'{report(contest, orders)}'
    )
    command.publish(text)


@contextmanager
def _standing(server: RabbitmqServer) -> Iterator[list[Pair]]:
    """Have all subjects stand ready."""
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix='lymph-'))
        broker = _process_of(server)
        yield [
            stack.enter_context(
                closing(
                    Pair(subject, folder, None)
                    if subject.embedded
                    else Pair(subject, server.url, broker)
                )
            )
            for subject in SUBJECTS
        ]


def _process_of(server: RabbitmqServer) -> int:
    """Return the id of the process that listens for the server."""
    port = int(server.address.rpartition(':')[2])
    for child in psutil.Process().children(recursive=True):
        if any(each.laddr.port == port for each in child.net_connections('tcp')):
            return child.pid
    raise RuntimeError(f'expected a process that listens at {server.address}, found none')


if __name__ == '__main__':
    main()
