from __future__ import annotations

import os
import signal
import sys
import textwrap

import pytest
from gevent.subprocess import PIPE, Popen

from lymph.discovery.embedded import EmbeddedServiceRegistry

BEGIN = """
    import os, signal, sys
    import gevent
    from lymph.core.services import ServiceInstance
    from lymph.discovery.embedded import EmbeddedServiceRegistry

    path = sys.argv[1]
    registry = EmbeddedServiceRegistry(path)

    def instance(n=0, **facts):
        return ServiceInstance(f'{os.getpid()}-{n}', f'tcp://127.0.0.1:{n + 1}', **facts)

    def say(*words):
        print(*words, flush=True)
    """


class Process:
    """A Python process that runs `code`; `hear` returns the next line that it prints."""

    def __init__(self, code, path):
        program = textwrap.dedent(BEGIN) + textwrap.dedent(code)
        self._process = Popen([sys.executable, '-c', program, path], stdin=PIPE, stdout=PIPE)
        self.pid = self._process.pid

    def hear(self):
        line = self._process.stdout.readline().decode().strip()
        assert line, f'the process ended with {self._process.wait()}'
        return line

    def tell(self):
        self._process.stdin.write(b'\n')
        self._process.stdin.flush()

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
def path(tmp_path):
    return str(tmp_path / 'state')


@pytest.fixture
def run(path):
    processes = []

    def run(code):
        processes.append(Process(code, path))
        return processes[-1]

    yield run
    for process in processes:
        process.close()


@pytest.fixture
def registry(path):
    registry = EmbeddedServiceRegistry(path)
    yield registry
    registry.on_stop()
