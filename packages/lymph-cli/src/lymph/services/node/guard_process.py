"""A small process that outlives its node and ends what the node leaves behind when it is killed.

It reads from its standard input, a pipe whose other end only the node holds: `+<id> <patience>`
when a process group begins, `-<id>` when one is over. The pipe ends when the node ends, however
that happens; then every group that is still open gets SIGTERM and, after its patience in seconds,
SIGKILL.

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


def main() -> None:
    """Watch the pipe on standard input until it ends, then end the groups that are still open."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)  # its one way to end is the end of the pipe
    groups: dict[int, float] = {}
    for line in sys.stdin:
        group, _, patience = line[1:].partition(' ')
        if line.startswith('+'):
            groups[int(group)] = float(patience)
        else:
            groups.pop(int(group), None)
    _end(groups)


def _end(groups: dict[int, float]) -> None:
    begun = time.monotonic()
    alive = _signal(groups, signal.SIGTERM)
    while alive:
        late = {group for group in alive if time.monotonic() >= begun + groups[group]}
        _signal(late, signal.SIGKILL)
        alive = _signal(alive - late, 0)
        if alive:
            time.sleep(_LOOK_AGAIN)


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
    main()
