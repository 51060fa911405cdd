"""The base class of test servers, which start, answer and stop, and can be killed and paused."""

from __future__ import annotations

import signal
import time
from abc import abstractmethod
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

from lymph.exceptions import LymphError
from lymph.testing._servers.blocks import StartedInBlock
from lymph.testing._servers.processes import GuardedProcess

__all__ = ['Server', 'ServerError', 'ServerFailed', 'ServerMissing']

_RETRY_INTERVAL = 0.05  # seconds between two attempts to reach a starting server


class ServerError(LymphError):
    """A test server failed to do something."""


class ServerMissing(ServerError):
    """The programs of a server are not installed."""


class ServerFailed(ServerError):
    """A server ended or did not answer in time; the text has the end of its log."""


class Server(StartedInBlock):
    """A private server with a folder of its own; a context manager that starts and closes it.

    Its methods block the calling thread.

    Arguments: `folder` for data and logs (default: a temporary one, which `close` removes);
    `start_timeout`, the most seconds until it answers after its start (default 60).
    """

    name: ClassVar[str]

    def __init__(self, folder: Path | str | None = None, *, start_timeout: float = 60.0) -> None:
        self._temporary = TemporaryDirectory(prefix='lymph-') if folder is None else None
        self.folder = Path(self._temporary.name if self._temporary else folder or '').resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / 'server.log'
        self._start_timeout = start_timeout
        self._process: GuardedProcess | None = None

    @property
    @abstractmethod
    def address(self) -> str:
        """The address that it listens at, as host:port."""

    @property
    def running(self) -> bool:
        """Whether its process exists, also while it is starting or paused."""
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start it and wait until it answers; a restart keeps its port and its data.

        Raises ServerMissing if its programs are not installed, and ServerFailed if it ends or does
        not answer in time.
        """
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it, if it does not run, without waiting for it.

        Raises ServerMissing if its programs are not installed.
        """
        if not self.running:
            self._process = self._spawn()

    def wait_until_ready(self) -> None:
        """Wait until it answers.

        Raises ServerFailed if it ends or does not answer within `start_timeout`.
        """
        deadline = time.monotonic() + self._start_timeout
        while not self._answers():
            process = self._process
            if process is None or not process.running:
                status = process.exit_status if process else None
                raise self._failure(f'ended with exit status {status} before it answered')
            if time.monotonic() > deadline:
                self.kill()
                raise self._failure(f'did not answer within {self._start_timeout:g} s')
            time.sleep(_RETRY_INTERVAL)

    def stop(self, timeout: float = 15.0) -> None:
        """Stop it with SIGTERM, and with SIGKILL after `timeout` seconds (default 15)."""
        self._end(timeout)

    def kill(self) -> None:
        """Kill it with SIGKILL, as in a crash."""
        self._end(0.0)

    def pause(self) -> None:
        """Freeze it with SIGSTOP: its connections stay open, and nothing answers."""
        if self._process is not None:
            self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`, with SIGCONT."""
        if self._process is not None:
            self._process.send(signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove its temporary folder; it cannot be started again."""
        self.kill()
        if self._temporary is not None:
            self._temporary.cleanup()

    def log_tail(self, lines: int = 30) -> str:
        """Return the last `lines` (default 30) of its log; '' without a log."""
        if not self.log.exists():
            return ''
        with self.log.open(encoding='utf-8', errors='replace') as log:
            return ''.join(deque(log, maxlen=lines)).rstrip()

    @abstractmethod
    def _spawn(self) -> GuardedProcess:
        """Write its configuration and start the process."""

    @abstractmethod
    def _answers(self) -> bool:
        """Return whether it serves clients, by connecting to it as a client."""

    def _end(self, timeout: float) -> None:
        if self._process is not None:
            self._process.end(timeout)
            self._process = None

    def _failure(self, what: str) -> ServerFailed:
        tail = self.log_tail()
        return ServerFailed(
            f'{self.name} at {self.address} {what}; '
            + (f'the end of {self.log}:\n{tail}' if tail else f'{self.log} is empty')
        )
