"""A small process that outlives its node and ends what the node leaves behind when it is killed.

It reads from its standard input, a pipe whose other end only the node holds: `+<id>` when a process
group begins, `-<id>` when one is over. The pipe ends when the node ends, however that happens; then
every group that is still open gets SIGTERM and, `argv[1]` seconds later, SIGKILL.

It is run as a file and imports nothing but the standard library, so it starts fast and stays small.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable

__all__ = ['main']

#: Seconds between two looks at groups that were told to end; the system has no event for it.
_LOOK_AGAIN = 0.05
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def main(patience: float) -> None:
    """Watch the pipe on standard input until it ends, then end the groups that are still open."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)  # its one way to end is the end of the pipe
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line.startswith('+'):
            groups.add(group)
        else:
            groups.discard(group)
    if groups:
        _end(groups, patience)


def _end(groups: set[int], patience: float) -> None:
    deadline = time.monotonic() + patience
    groups = _signal(groups, signal.SIGTERM)
    while groups and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN)
        groups = _signal(groups, 0)
    _signal(groups, signal.SIGKILL)


def _signal(groups: Iterable[int], number: int) -> set[int]:
    """Send a signal to the groups and return those that are still there."""
    alive = set()
    for group in groups:
        try:
            os.killpg(group, number)
        except (ProcessLookupError, PermissionError):
            continue
        alive.add(group)
    return alive


if __name__ == '__main__':
    main(float(sys.argv[1]))
