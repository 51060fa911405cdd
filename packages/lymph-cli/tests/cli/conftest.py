"""Commands on a terminal or with pipes, in children of a process that has imported everything."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from select import poll
from typing import Any

import pytest

#: Seconds that a command gets; far more than it needs.
PATIENCE = 30.0

FORKING = Path(__file__).parent / 'texts' / 'forking.py'


@dataclass(frozen=True)
class Printed:
    """What a command printed, and its exit code; on a terminal all of it is `stdout`."""

    exit_code: int
    stdout: str
    stderr: str


class Forking:
    """Runs `lymph`, one command after the other."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen([sys.executable, FORKING], stdin=theirs.fileno())
        self._answers = self._requests.makefile()

    def piped(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], stdin: bytes = b''
    ) -> Printed:
        """Run a command whose standard streams are pipes."""
        read, write = os.pipe()
        os.write(write, stdin)
        os.close(write)
        out, err = os.pipe(), os.pipe()
        child = self._start(arguments, folder, environ, (read, out[1], err[1]))
        stdout, stderr = _read_all(child, (out[0], err[0]))
        return Printed(self._end(), stdout, stderr)

    def on_terminal(
        self, arguments: Sequence[str], folder: Path, environ: Mapping[str, str], columns: int = 80
    ) -> Printed:
        """Run a command on a terminal of so many columns, on which nobody types."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
        copies = (theirs, os.dup(theirs), os.dup(theirs))
        child = self._start(arguments, folder, environ, copies)
        [text] = _read_all(child, (ours,))
        return Printed(self._end(), text.replace('\r\n', '\n'), '')

    def close(self) -> None:
        self._answers.close()
        self._requests.close()
        self._process.wait(PATIENCE)

    def _start(
        self,
        arguments: Sequence[str],
        folder: Path,
        environ: Mapping[str, str],
        descriptors: Sequence[int],
    ) -> int:
        request = {'arguments': arguments, 'folder': str(folder), 'environ': dict(environ)}
        socket.send_fds(self._requests, [json.dumps(request).encode()], descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        return int(self._answers.readline())

    def _end(self) -> int:
        code = int(self._answers.readline())
        return code if code >= 0 else 128 - code


def _read_all(child: int, descriptors: Sequence[int]) -> list[str]:
    """Return what arrives until all ends are closed; the child is killed if that takes too long."""
    found = dict.fromkeys(descriptors, b'')
    polling = poll()
    for descriptor in descriptors:
        polling.register(descriptor)
    open_ones = set(descriptors)
    end = time.monotonic() + PATIENCE
    while open_ones:
        ready = polling.poll(1000 * max(end - time.monotonic(), 0))
        if not ready:
            os.kill(child, signal.SIGKILL)
            end = time.monotonic() + PATIENCE
        for descriptor, _ in ready:
            try:
                data = os.read(descriptor, 65536)
            except OSError:  # how the end of a terminal reads
                data = b''
            found[descriptor] += data
            if not data:
                polling.unregister(descriptor)
                open_ones.remove(descriptor)
                os.close(descriptor)
    return [data.decode() for data in found.values()]


@pytest.fixture(scope='session')
def forking() -> Iterator[Forking]:
    forking = Forking()
    yield forking
    forking.close()


@pytest.fixture
def quick_shell(shell: Any, forking: Forking) -> Any:
    """Return a shell whose `run` starts no Python: for what needs no PYTHONPATH of its own."""

    def run(*arguments: str, input: str = '') -> Printed:
        return forking.piped(arguments, shell.folder, shell.environ, input.encode())

    shell.run = run
    return shell
