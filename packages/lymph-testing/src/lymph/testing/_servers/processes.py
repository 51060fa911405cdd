"""A child process that never outlives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ['GuardedProcess']

# The guard reads from a pipe whose other end only the starting process has. A line tells it to
# stand down. The end of the pipe tells it that the starting process has ended, in whatever way, and
# it kills the group. PR_SET_PDEATHSIG does not work here: it follows the thread that started the
# child, not the process.
_GUARD = 'read -r _ || kill -s KILL -- "-$1"'


class GuardedProcess:
    """A command in its own process group, which is killed when this process ends.

    Arguments: `command`; its whole `environment`; the `folder` it runs in; the `log` to which its
    output is appended; `popen`, which starts processes (default: subprocess.Popen).

    If gevent's Popen is used anywhere in this process, gevent's loop reaps all its children, and
    the exit status of a child that was started in another way is lost and read as 0. Pass
    `gevent.subprocess.Popen` then, and use the object only from the main thread.

    Raises OSError if the command cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen,
    ) -> None:
        with log.open('ab') as output:
            self._child = popen(
                command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._guard = popen(
                ['/bin/sh', '-c', _GUARD, 'guard', str(self._child.pid)],
                cwd='/',
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self.send(signal.SIGKILL)
            self._child.wait()
            raise

    @property
    def pid(self) -> int:
        """The process id of the command, which is also the id of its process group."""
        return self._child.pid

    @property
    def exit_status(self) -> int | None:
        """The exit status of the command (minus the number of a signal), or None while it runs."""
        return self._child.poll()

    @property
    def running(self) -> bool:
        """Whether the command runs; a paused one does."""
        return self.exit_status is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, if the command runs."""
        if self.running:
            os.killpg(self.pid, number)

    def end(self, timeout: float = 0.0) -> None:
        """End the group with SIGTERM, and with SIGKILL after `timeout` seconds (default 0)."""
        if timeout > 0:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout)
        self.send(signal.SIGKILL)
        self._child.wait()
        if self._guard.poll() is None:
            self._guard.communicate(b'stand down\n')
