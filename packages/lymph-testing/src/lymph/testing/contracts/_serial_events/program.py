"""A service in its own process, with a serial handler that records what it does.

Arguments: a configuration file, the name of the service, and a file to which each step is added as
one line::

    ready PID
    begin TIME PID KEY NUMBER
    end TIME PID KEY NUMBER

TIME is in seconds of the machine's monotonic clock.
"""

from __future__ import annotations

from lymph.monkey import patch

if __name__ == '__main__':  # and not where a test imports this
    patch()

# Everything imported after this is cooperative.
import os
import signal
import sys
import time

import gevent

from lymph.config import Configuration
from lymph.core.assembly import build_container
from lymph.core.events import Event
from lymph.core.interfaces import Interface
from lymph.patterns.serial_events import serial_event

__all__ = ['PARTITIONS', 'TOPIC', 'Ledger', 'main']

TOPIC = 'serial-test.entry'
PARTITIONS = 6

_WORK = 0.005  # seconds


class Ledger(Interface):
    """Handles entries with a `key` and a number `n`."""

    @serial_event(TOPIC, partition_count=PARTITIONS, key=lambda self, event: event['key'])
    def enter(self, event: Event) -> None:
        """Handle an entry, which takes a while."""
        _note('begin', time.monotonic(), os.getpid(), event['key'], event['n'])
        gevent.sleep(_WORK)
        _note('end', time.monotonic(), os.getpid(), event['key'], event['n'])


def main(configuration: str, name: str) -> None:
    """Run until SIGTERM, then drain."""
    config = Configuration()
    config.load_file(configuration)
    container = build_container(config)
    container.install_interface(Ledger, name)
    gevent.signal_handler(signal.SIGTERM, container.drain)
    container.start()
    _note('ready', os.getpid())
    container.join()


def _note(*words: object) -> None:
    line = ' '.join(map(str, words))
    os.write(_log, f'{line}\n'.encode())  # one system call: whole or not at all


if __name__ == '__main__':
    _log = os.open(sys.argv[3], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    main(*sys.argv[1:3])
