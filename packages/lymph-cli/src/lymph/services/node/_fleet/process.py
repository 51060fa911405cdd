"""One running command: a session of its own, ended with all that it has started."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import gevent
from gevent import subprocess
from gevent.event import Event
from gevent.os import make_nonblocking, nb_read

from lymph.core._system.blocking import in_thread
from lymph.services.node._fleet.guard import Guard
from lymph.services.node._fleet.guard_process import Family
from lymph.services.node._fleet.lines import LineSplitter
from lymph.services.node._fleet.readiness import VARIABLE as READY_VARIABLE
from lymph.services.node._fleet.readiness import ReadyPipe
from lymph.services.node._fleet.sockets import Handed, announce, hand_over

__all__ = ['Launch', 'Process']

#: Seconds between two looks at the rest of a family; the system has no event for its end.
_LOOK_AGAIN = 0.1
#: Seconds in which the last output and the last members of a family may go after its end.
_AFTERMATH = 1.0
_CHUNK = 16 * 1024  # bytes of a turn
#: Seconds; 0 would not let the loop look at its descriptors.
_TURN = 1e-6


@dataclass(frozen=True)
class Launch:
    """What a process is started with.

    `patience` is how many seconds it gets to end by itself, `cwd` its folder, None for the one
    here. One that `serves` says when it is ready; any other, and one that does not, is ready when
    it has lived for `ready_after` seconds. `handed` are the listening sockets that it is given.
    """

    command: Sequence[str]
    environ: Mapping[str, str]
    patience: float
    cwd: str | None = None
    serves: bool = False
    ready_after: float = 1.0
    handed: Sequence[Handed] = ()


class Process:
    """A command that runs; `show` is called with each line it prints.

    Raises OSError if the command cannot be run.
    """

    def __init__(self, launch: Launch, guard: Guard, show: Callable[[str], None]) -> None:
        self.started = time.time()
        #: set when the process is ready
        self.ready = Event()
        self._ready_pipe = ReadyPipe(self._become_ready, launch.ready_after, not launch.serves)
        try:
            self._popen = self._start(launch, guard)
        except BaseException:
            self._ready_pipe.cancel()
            raise
        assert self._popen.stdout is not None
        self._stdout = self._popen.stdout
        self._patience = launch.patience
        self._guard = guard
        self._show = show
        self._born = time.monotonic()
        self._reader = gevent.spawn(self._read)
        self._end = gevent.spawn(self._await_end)
        self._killed = False
        self.pid: int = self._popen.pid
        self._family = Family(self.pid)
        guard.remember(self.pid, launch.patience)
        self._ready_pipe.listen()

    @property
    def end(self) -> gevent.Greenlet[[], tuple[int, float]]:
        """What is to be waited for: its value is the exit code and the length of the life."""
        return self._end

    @property
    def age(self) -> float:
        """The seconds since the process was started."""
        return time.monotonic() - self._born

    @property
    def operations(self) -> str | None:
        """Where the operations port of the process is; None if it has not told any."""
        return self._ready_pipe.operations

    def allow(self, patience: float) -> None:
        """Change how many seconds the process gets to end by itself."""
        self._patience = patience
        self._guard.remember(self.pid, patience)

    def signal(self, number: int) -> None:
        """Send a signal to the process, but not to the rest of its family."""
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def kill(self) -> None:
        """Kill the whole family now."""
        self._killed = True
        self._family.kill()

    def close(self) -> bool:
        """End the process and its family; returns whether that went without killing.

        First only the process itself is told to end, so that one which stops its children itself
        (a shell, an init) can do so; the rest of the family is told when it has ended. What is left
        after the patience of its launch is killed.
        """
        deadline = time.monotonic() + self._patience
        in_thread(self._family.look)  # afterwards nobody knows who has started whom
        self.signal(signal.SIGTERM)
        self._end.join(self._patience)
        if self._end.ready():
            while in_thread(self._family.tell) and time.monotonic() < deadline:
                gevent.sleep(_LOOK_AGAIN)
        if in_thread(self._family.look):
            self.kill()
        self._end.join()
        self._ready_pipe.close()
        self._reader.join(_AFTERMATH)
        self._reader.kill()
        self._stdout.close()
        self._guard.forget(self.pid)
        return not self._killed

    def _start(self, launch: Launch, guard: Guard) -> subprocess.Popen[bytes]:
        environ = {**launch.environ, READY_VARIABLE: str(self._ready_pipe.writing)}

        def prepare() -> None:
            guard.enter(launch.patience)
            hand_over(launch.handed, environ)

        return subprocess.Popen(
            list(launch.command),
            env=environ,
            cwd=launch.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=(self._ready_pipe.writing, *announce(launch.handed, environ)),
            preexec_fn=prepare,
        )

    def _become_ready(self) -> None:
        if not self._end.ready():
            self.ready.set()

    def _await_end(self) -> tuple[int, float]:
        exit_code: int = self._popen.wait()
        return exit_code, time.monotonic() - self._born

    def _read(self) -> None:
        splitter = LineSplitter()
        descriptor = self._stdout.fileno()
        make_nonblocking(descriptor)
        while data := nb_read(descriptor, _CHUNK):
            for line in splitter.feed(data):
                self._show(line)
            gevent.sleep(_TURN)  # a process that prints without end must not block the loop
        for line in splitter.finish():
            self._show(line)
