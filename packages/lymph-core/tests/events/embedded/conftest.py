from __future__ import annotations

import os
import signal
import sys
import textwrap

import pytest
from gevent.subprocess import PIPE, Popen

from lymph.core.events import Event
from lymph.core.workers import Workers
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.embedded import EmbeddedEventSystem

BEGIN = """
    import os, signal, sys
    import gevent
    from lymph.core.events import Event
    from lymph.events.base import Subscription
    from lymph.events.embedded import EmbeddedEventSystem
    from lymph.exceptions import EmitFailure

    path, arguments = sys.argv[1], sys.argv[2:]
    system = EmbeddedEventSystem(path)
    system.on_start()

    def say(*words):
        # one system call: a line is written whole or not at all
        os.write(1, (' '.join(map(str, words)) + '\\n').encode())
    """


class Process:
    """A Python process that runs `code` with an event system; `hear` returns its next line."""

    def __init__(self, code, path, *arguments):
        program = textwrap.dedent(BEGIN) + textwrap.dedent(code)
        command = [sys.executable, '-c', program, str(path), *map(str, arguments)]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE)
        self.pid = self._process.pid

    def hear(self):
        line = self._process.stdout.readline().decode().strip()
        assert line, f'the process ended with {self._process.wait()}'
        return line

    def hear_all(self):
        """Return the remaining lines, up to the end of the process."""
        return self._process.stdout.read().decode().splitlines()

    def signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        if self._process.poll() is None:
            self.signal(signal.SIGKILL)
        return self._process.wait()

    def wait(self):
        return self._process.wait(timeout=60)

    def close(self):
        self.kill()
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture
def run(tmp_path):
    """Return a function that starts a process, which is killed when the test ends."""
    processes = []

    def run(code, *arguments):
        process = Process(code, tmp_path, *arguments)
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.close()


@pytest.fixture
def start(tmp_path):
    """Return a function that starts an event system, which is stopped when the test ends."""
    systems = []

    def start(pool_size=None, path=tmp_path, **options):
        options.setdefault('backoff', Backoff(first=0.05))
        system = EmbeddedEventSystem(str(path), workers=Workers(pool_size), **options)
        system.on_start()
        systems.append(system)
        return system

    yield start
    for system in systems:
        system.pause()
        system.workers.kill()
        system.on_stop()
        system.pool.kill()


@pytest.fixture
def subscribe():
    def subscribe(system, handler, *topics, queue='queue', **options):
        subscription = Subscription(queue, topics or ('thing',), handler, **options)
        system.subscribe(subscription)
        return subscription

    return subscribe


@pytest.fixture
def emit():
    def emit(system, n=0, topic='thing', **options):
        system.emit(Event(topic, {'n': n}), **options)

    return emit


@pytest.fixture
def database(tmp_path):
    """Return the path of the file that the systems of the test share."""
    return tmp_path / 'events' / 'events.sqlite'
