"""A small process that outlives its node and ends what the node leaves behind when it is killed.

It reads from its standard input, a pipe whose other end only the node holds: `+<id> <patience>`
when a session begins, `-<id>` when one is over. The pipe ends when the node ends, however that
happens; then the family of every session that is still open gets SIGTERM and, after its patience in
seconds, SIGKILL.

It is run as a file and imports nothing but the standard library, so it starts fast and stays small.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import NamedTuple

__all__ = ['PROGRAM', 'Family', 'main']

#: the file to be run
PROGRAM = __file__

#: Seconds between two looks at those who were told to end; the system has no event for it.
_LOOK_AGAIN = 0.05
_PROC = '/proc'
#: Seconds in which a process that is killed ends, if the system does not hold it.
_KILLING = 1.0

#: The id of a process and when it was started, which tells it from a later one with the same id.
_Key = tuple[int, int]
_IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Family:
    """The processes of a session, and all that these have started, in sessions of their own too.

    A process that moved to its own session and lost its parent before the next look is not found,
    so daemons do not belong to the family. Without /proc, the family is the process group of the
    leader.
    """

    def __init__(self, leader: int) -> None:
        self._leader = leader
        self._known: set[_Key] = set()
        self._told: set[_Key] = set()

    def look(self) -> bool:
        """Look who there is; returns whether anybody lives. A zombie does not."""
        running = _running()
        if running is None:
            return _signal_group(self._leader, 0)
        # A child in a session of its own is recognized by its parent (below) or, when that has
        # ended, because it was in the family at the last look.
        found = {
            key
            for key, each in running.items()
            if key in self._known or self._leader in (each.session, each.group)
        }
        family = set()
        while found:
            family |= found
            parents = {pid for pid, _ in found}
            found = {key for key, each in running.items() if each.parent in parents} - family
        self._known = family
        return bool(family)

    def tell(self) -> bool:
        """Send SIGTERM to all, once to each; returns whether anybody lives."""
        if not self.look():
            return False
        # Processes live, but none is known: without /proc there is only the process group.
        if not self._known and not self._told:
            _signal_group(self._leader, signal.SIGTERM)
            self._told.add((self._leader, 0))
        for key in self._known - self._told:
            _signal(key[0], signal.SIGTERM)
        self._told |= self._known
        return True

    def kill(self) -> None:
        """Send SIGKILL to all."""
        self.look()
        _signal_group(self._leader, signal.SIGKILL)
        for pid, _ in self._known:
            _signal(pid, signal.SIGKILL)


def main() -> None:
    """Watch the pipe on standard input until it ends, then end the families that are left."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)  # its one way to end is the end of the pipe
    sessions: dict[int, float] = {}
    for line in sys.stdin:
        session, _, patience = line[1:].partition(' ')
        if line.startswith('+'):
            sessions[int(session)] = float(patience)
        else:
            sessions.pop(int(session), None)
    _end(sessions)


def _end(sessions: dict[int, float]) -> None:
    begun = time.monotonic()
    families = {session: Family(session) for session in sessions}
    while True:
        families = {session: family for session, family in families.items() if family.tell()}
        late = time.monotonic() - begun
        for session, family in families.items():
            if late >= sessions[session]:
                # Again in every round: a process may fork just before it is killed.
                family.kill()
        # Nobody is left, or only processes that the system holds, which SIGKILL does not end.
        if all(late >= sessions[session] + _KILLING for session in families):
            return
        time.sleep(_LOOK_AGAIN)


class _Process(NamedTuple):
    parent: int
    group: int
    session: int


def _running() -> dict[_Key, _Process] | None:
    """Return all processes that are more than zombies, None if the system does not tell."""
    if not os.path.exists(f'{_PROC}/self/stat'):
        return None
    found = {}
    for name in os.listdir(_PROC):
        if name.isdecimal():
            try:
                with open(f'{_PROC}/{name}/stat', 'rb') as file:
                    # behind the name, which may hold anything; see proc(5)
                    fields = file.read().rpartition(b')')[2].split()
            except OSError:
                continue  # it has ended
            if fields and fields[0] not in (b'Z', b'X'):
                found[int(name), int(fields[19])] = _Process(*map(int, fields[1:4]))
    return found


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)


def _signal_group(group: int, number: int) -> bool:
    """Send a signal to a group; returns whether there was anybody to get it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == '__main__':
    main()
