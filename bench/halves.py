"""Processes that stand ready for a measurement and talk in lines."""

from __future__ import annotations

import subprocess
import sys

__all__ = ['Half']

_END_TIMEOUT = 5.0  # seconds that a half gets to end by itself


class Half:
    """Run a module of `bench` as a process; it ends with `end`, or with its standard input.

    `name` is what an error calls it.
    """

    def __init__(self, name: str, module: str, *arguments: str) -> None:
        self._name = name
        self._process = subprocess.Popen(
            [sys.executable, '-m', module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def hear(self) -> str:
        """Wait for a line and return it; raises RuntimeError when the process has ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f'{self._name}: a half ended (see above)')
        return line.strip()

    def ask(self, line: str) -> str:
        """Send a line, wait for the line that answers it, and return that."""
        assert self._process.stdin is not None
        self._process.stdin.write(f'{line}\n')
        self._process.stdin.flush()
        return self.hear()

    def end(self) -> None:
        """End the process."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=_END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
