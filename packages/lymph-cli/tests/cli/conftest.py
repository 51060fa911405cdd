"""Commands with pipes or on a terminal, in children of a process that has imported everything.

And commands on a terminal on which somebody types.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

#: Seconds that a command gets; far more than it needs.
PATIENCE = 30.0

#: What drives a terminal: colors and the cursor; titles; modes of the keyboard.
_SEQUENCE = re.compile(rb'\x1b(?:\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*\x07|[=>])')

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
        """Run a command on a terminal of `columns` columns, without input."""
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
    """Return what is received until all ends are closed; kill the child if it takes too long."""
    found = dict.fromkeys(descriptors, b'')
    polling = select.poll()
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


class Terminal:
    """A `lymph` command at a terminal of its own, dumb unless the environment says otherwise.

    What it shows is kept without colors and other sequences.
    """

    def __init__(self, shell: Any, *arguments: str, **environ: str) -> None:
        self.shown = ''
        self._begun = b''  # a sequence that is not complete
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(shell.folder)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            environ = {**shell.environ, 'TERM': 'dumb', **environ}
            os.execve(shell.lymph, [str(shell.lymph), *arguments], environ)

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def shows(self, words: str) -> None:
        """Wait until words are shown, and discard the output before them."""
        end = time.monotonic() + PATIENCE
        while words not in self.shown:
            assert time.monotonic() < end, self.shown
            assert self._read(0.1), self.shown
        self.shown = self.shown.partition(words)[2]

    def end(self) -> int:
        """Press Ctrl-D at the prompt and return the exit code."""
        self.type('\x04')
        end = time.monotonic() + PATIENCE
        while not (ended := os.waitpid(self.pid, os.WNOHANG))[0]:
            assert time.monotonic() < end, self.shown
            self._read(0.1)
        self.pid = 0
        return os.waitstatus_to_exitcode(ended[1])

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)

    def _read(self, patience: float) -> bool:
        """Read output for a number of seconds; return False once the terminal is closed."""
        if select.select([self.descriptor], [], [], patience)[0]:
            try:
                data = self._begun + os.read(self.descriptor, 65536)
            except OSError:
                return False
            data = _SEQUENCE.sub(b'', data)
            text, escape, rest = data.rpartition(b'\x1b')
            self._begun = escape + rest if escape else b''
            self.shown += (text if escape else rest).decode(errors='replace')
        return True


@pytest.fixture
def at_terminal(shell: Any) -> Iterator[Callable[..., Terminal]]:
    terminals = []

    def open(*arguments: str, **environ: str) -> Terminal:
        terminals.append(Terminal(shell, *arguments, **environ))
        return terminals[-1]

    yield open
    for terminal in terminals:
        terminal.close()


@pytest.fixture(scope='session')
def forking() -> Iterator[Forking]:
    forking = Forking()
    yield forking
    forking.close()


@pytest.fixture
def quick_shell(shell: Any, forking: Forking) -> Any:
    """Return a shell whose `run` starts no Python: for tests without their own PYTHONPATH."""

    def run(*arguments: str, input: str = '') -> Printed:
        return forking.piped(arguments, shell.folder, shell.environ, input.encode())

    shell.run = run
    return shell
