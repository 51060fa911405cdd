"""Child processes whose exit status is known, whoever reaps them.

When gevent's `Popen` is used once, gevent's loop reaps all children of the process from then on
(libev's handler of SIGCHLD calls `waitpid(-1)`). `subprocess` finds its own children gone then, and
reads their exit status as 0. A contract must not cause that for the tests that run after it, and
has to work after tests that did. So it starts children with `subprocess`, and learns the exit
status from a shell in between: the command is a child of the shell.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence

from lymph.testing.waiting import eventually

__all__ = ['exit_status']

_SCRIPT = '"$@" >/dev/null; echo "$?"'
_KILLED = 128  # what a shell adds to the number of the signal that killed a command


def exit_status(command: Sequence[str], timeout: float) -> int:
    """Run a command until it ends, cooperatively, and return its exit status.

    The status is minus the number of the signal that killed it, as in `subprocess`. The command has
    no standard input, and its standard output is discarded.

    Raises AssertionError if the command still runs after `timeout` seconds; it is killed then.
    """
    with subprocess.Popen(
        ['/bin/sh', '-c', _SCRIPT, 'sh', *command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as shell:
        try:
            eventually(lambda: shell.poll() is not None, timeout, f'{command[0]} still runs')
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
        assert shell.stdout is not None
        status = int(shell.stdout.read())
    return _KILLED - status if status > _KILLED else status
