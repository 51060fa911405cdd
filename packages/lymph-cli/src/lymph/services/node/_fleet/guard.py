"""The node's end of its guard: no process that the node started outlives it for long."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time

import gevent
from gevent import subprocess

from lymph.services.node._fleet.guard_process import PROGRAM

__all__ = ['Guard']

logger = logging.getLogger(__name__)

#: Seconds between two starts of a guard process at least, if they are ended from outside. One that
#: has lived for longer is replaced at once: meanwhile a node that is killed would leave orphans.
_RELAUNCH_INTERVAL = 1.0


class Guard:
    """Keeps a guard process, and tells it which sessions begin and end.

    Each session has its own patience: the seconds its family gets to end by itself. The guard
    process is started again if it dies. See `guard_process` for what passes between the two.
    """

    def __init__(self) -> None:
        self._sessions: dict[int, float] = {}
        self._pipe = -1
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: gevent.Greenlet[[], None] | None = None

    def start(self) -> None:
        """Start the guard process."""
        self._launch()
        self._watcher = gevent.spawn(self._watch)

    def stop(self) -> None:
        """Let the guard process go; it ends what was not forgotten."""
        if self._watcher is not None:
            self._watcher.kill()
        os.close(self._pipe)
        if self._process is not None:
            self._process.wait()

    def enter(self, patience: float) -> None:
        """Make the calling process the leader of a new session and announce it.

        Runs in a new process before its command does, so there is no moment at which a command runs
        unknown to the guard.
        """
        os.setsid()
        self._announce(os.getpid(), patience)

    def remember(self, session: int, patience: float) -> None:
        """Note a session that has announced itself, for the case that the guard dies.

        It is announced again: another guard may have come, which knows those noted before.
        """
        self._sessions[session] = patience
        self._announce(session, patience)

    def forget(self, session: int) -> None:
        """Say that no process of a session is left."""
        self._sessions.pop(session, None)
        self._tell(b'-%d\n' % session)

    def _launch(self) -> None:
        reading, self._pipe = os.pipe()  # neither end is inherited but by name
        try:
            # Before there is a process: from its first moment on it is to end all sessions.
            for session, patience in self._sessions.items():
                self._announce(session, patience)
            # -I -S: neither the environment nor site-packages decide what this process is.
            self._process = subprocess.Popen(
                [sys.executable, '-I', '-S', PROGRAM],
                stdin=reading,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        finally:
            os.close(reading)

    def _watch(self) -> None:
        while self._process is not None:
            born = time.monotonic()
            self._process.wait()
            logger.warning('the guard process was ended from outside; starting another')
            gevent.sleep(max(0, born + _RELAUNCH_INTERVAL - time.monotonic()))
            os.close(self._pipe)
            self._launch()

    def _announce(self, session: int, patience: float) -> None:
        self._tell(b'+%d %g\n' % (session, patience))

    def _tell(self, line: bytes) -> None:
        # A guard process that is gone has a successor, which is told of all sessions.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._pipe, line)
