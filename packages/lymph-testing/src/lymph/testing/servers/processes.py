"""A child process that never outlives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ['GuardedProcess']

# The guard reads from a pipe that only the starting process holds. A line means "stand down"; the
# end of the pipe means that the starting process is gone, however it went, and that the group has
# to go too. PR_SET_PDEATHSIG would not do: it follows the thread that started the child, not the
# process.
_GUARD = 'read -r _ || kill -s KILL -- "-$1"'


class GuardedProcess:
    """Run a command in a process group of its own, which is killed when this process ends.

    Arguments: the command; its whole environment; the folder it runs in; the file that its output
    is added to. Raises `OSError` when the command cannot be started.

    `popen` starts processes. Where gevent's is in use, gevent's loop reaps all children of this
    process, and the exit status of one that was started otherwise is lost and read as 0: pass
    `gevent.subprocess.Popen` then, and use what is made from the main thread alone.
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
        """The process id of the command, which is also the id of its group."""
        return self._child.pid

    @property
    def exit_status(self) -> int | None:
        """What the command ended with (negative: the signal that ended it), None while it runs."""
        return self._child.poll()

    @property
    def running(self) -> bool:
        """Whether the command has not ended; a paused one runs."""
        return self.exit_status is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the whole group; does nothing when the command has ended."""
        if self.running:
            os.killpg(self.pid, number)

    def end(self, timeout: float = 0.0) -> None:
        """End the group: SIGTERM, and SIGKILL after `timeout` seconds (default 0: at once)."""
        if timeout > 0:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout)
        self.send(signal.SIGKILL)
        self._child.wait()
        if self._guard.poll() is None:
            self._guard.communicate(b'stand down\n')
