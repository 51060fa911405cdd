"""What all test servers have in common: they start, answer, stop, and can be killed and paused."""

from __future__ import annotations

import signal
import time
from abc import ABC, abstractmethod
from collections import deque
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, ClassVar

from lymph.exceptions import LymphError
from lymph.testing.servers.processes import GuardedProcess

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['Server', 'ServerError', 'ServerFailed', 'ServerMissing']

_RETRY_INTERVAL = 0.05  # seconds between two questions to a server that is coming up


class ServerError(LymphError):
    """A test server cannot do what it is asked to."""


class ServerMissing(ServerError):
    """The programs of a server are not installed."""


class ServerFailed(ServerError):
    """A server ended or kept silent instead of answering; carries the end of its log."""


class Server(ABC):
    """A private server with a folder of its own; a context manager that starts and closes it.

    Its methods block the calling thread. Arguments: the folder for its data and logs (default: a
    temporary one, removed by `close`); how long it may take to answer after its start, in seconds
    (default 60).
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
        """Where it listens, as host:port."""

    @property
    def running(self) -> bool:
        """Whether its process exists; also while it comes up or is paused."""
        return self._process is not None and self._process.running

    def start(self) -> None:
        """Start it, on the port and the data of the last time, and wait until it answers.

        Raises `ServerMissing` when its programs are not installed, `ServerFailed` when it does not
        answer in time.
        """
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it without waiting; does nothing when it runs. Raises `ServerMissing`."""
        if not self.running:
            self._process = self._spawn()

    def wait_until_ready(self) -> None:
        """Wait until it answers. Raises `ServerFailed` when it ends or time runs out."""
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
        """End it in order (SIGTERM), and after `timeout` seconds (default 15) by force."""
        self._end(timeout)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a crash would."""
        self._end(0.0)

    def pause(self) -> None:
        """Freeze it (SIGSTOP): its connections stand, and nothing answers."""
        if self._process is not None:
            self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause` (SIGCONT)."""
        if self._process is not None:
            self._process.send(signal.SIGCONT)

    def close(self) -> None:
        """Kill it and remove its temporary folder; it cannot be started again."""
        self.kill()
        if self._temporary is not None:
            self._temporary.cleanup()

    def log_tail(self, lines: int = 30) -> str:
        """Return the last lines (default 30) of its log."""
        if not self.log.exists():
            return ''
        with self.log.open(encoding='utf-8', errors='replace') as log:
            return ''.join(deque(log, maxlen=lines)).rstrip()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def _spawn(self) -> GuardedProcess:
        """Start the process, with its configuration written."""

    @abstractmethod
    def _answers(self) -> bool:
        """Ask it, as a client would, whether it serves."""

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
