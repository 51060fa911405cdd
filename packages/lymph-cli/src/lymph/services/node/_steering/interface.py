"""The RPC interface of a running node.

It is registered in the embedded registry of this machine alone, in a namespace of its own, and
listens at loopback. Other users of the machine reach that address, too: so each call takes a token,
which only the user of the node can read (`lymph.services.node._steering.card`).
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Collection
from typing import Any, ClassVar, Final

from lymph.core._system.blocking import in_thread
from lymph.core.decorators import rpc
from lymph.core.interfaces import Interface
from lymph.services.node._fleet.exits import describe_exit
from lymph.services.node._fleet.fleet import Fleet
from lymph.services.node._fleet.output import NODE
from lymph.services.node._fleet.recent import Line
from lymph.services.node._fleet.slot import Slot
from lymph.services.node._fleet.usage import Usage, usage_of
from lymph.services.node._steering.exceptions import ChangeRefused, Denied, NotReady, UnknownName

__all__ = ['NAMESPACE', 'SERVICE', 'Node']

#: Where and as what a node is registered.
NAMESPACE: Final = 'node'
SERVICE: Final = 'node'

#: Lines and characters of one answer of `tail`, and how many seconds it waits for a line.
_LINES = 1000
_CHARACTERS = 1_000_000
_WAIT = 10.0


_ERRORS = (Denied, NotReady, ChangeRefused, UnknownName)


class Node(Interface):
    """Tells what a node runs, and changes it.

    `names` are names of definitions (`echo`) or processes (`echo.2`); without any, all are meant.
    """

    namespaces: ClassVar[tuple[str, ...]] = (NAMESPACE,)

    _fleet: Fleet
    _token: str

    def steer(self, fleet: Fleet, token: str) -> None:
        """Say what is steered, and by whom; to be called before the start."""
        self._fleet = fleet
        self._token = token

    @rpc(raises=_ERRORS)
    def get_processes(self, token: str, names: list[str] | None = None) -> list[dict[str, Any]]:
        """Return facts about each process.

        `cpu_time` (seconds) and `memory` (bytes) are those of its group, null if nothing runs;
        `uptime` is in seconds, `last_exit` an exit code, or minus the number of a signal,
        `operations` the address of the operations port, null if there is none.
        """
        self._check(token)
        slots = self._fleet.slots(names or ())
        pids = {slot.process.pid for slot in slots if slot.process is not None}
        usage = in_thread(usage_of, pids) if pids else {}
        return [_facts(slot, usage) for slot in slots]

    @rpc(raises=_ERRORS)
    def start(self, token: str, names: list[str]) -> list[str]:
        """Start what does not run, and wait until it is ready."""
        self._check(token)
        return self._fleet.start(names)

    @rpc(raises=_ERRORS)
    def stop(self, token: str, names: list[str]) -> list[str]:
        """Stop processes, wait until they have ended, and keep them down."""
        self._check(token)
        return self._fleet.halt(names)

    @rpc(raises=_ERRORS)
    def restart(self, token: str, names: list[str] | None = None) -> list[str]:
        """Replace processes by new ones, one after the other."""
        self._check(token)
        return self._fleet.roll(names or ())

    @rpc(raises=_ERRORS)
    def scale(self, token: str, name: str, numprocesses: int) -> list[str]:
        """Run a definition that many times."""
        self._check(token)
        return self._fleet.scale(name, numprocesses)

    @rpc(raises=_ERRORS)
    def tail(
        self,
        token: str,
        names: list[str] | None = None,
        after: int | None = None,
        last: int = 10,
    ) -> dict[str, Any]:
        """Return lines that processes and the node have printed, and wait a while for the first.

        `after` is the `next` of the answer before; without it the newest lines are returned, up to
        `last`. `lost` is how many lines have been forgotten since then.
        """
        self._check(token)
        # Only to raise UnknownName. The lines of the node itself belong to no slot.
        self._fleet.slots([name for name in names or () if name != NODE])
        wanted = None if not names else frozenset(names)
        recent = self._fleet.output.recent
        if after is None:
            found = recent.newest(min(max(last, 0), _LINES), wanted)
            return _page(found, recent.last, 0)
        end = time.monotonic() + _WAIT
        while True:
            lost, last_seen = recent.forgotten(after), recent.last
            found = recent.after(after, wanted, _LINES)
            left = end - time.monotonic()
            if found or lost or left <= 0:
                # More lines may follow a full page. Any other covers all lines up to the newest,
                # so the next call skips those of processes that are not wanted.
                full = len(found) == _LINES
                return _page(found, found[-1].number if full else last_seen, lost)
            # No line up to here is wanted: skip them in the next look.
            after = last_seen
            recent.wait(after, left)

    def _check(self, token: str) -> None:
        given = token.encode(errors='replace') if isinstance(token, str) else b''
        if not hmac.compare_digest(given, self._token.encode()):
            raise Denied('wrong token; only the user who has started the node may steer it')


def _facts(slot: Slot, usage: dict[int, Usage]) -> dict[str, Any]:
    process = slot.process
    used = None if process is None else usage.get(process.pid)
    return {
        'name': slot.name,
        'definition': slot.definition.name,
        'command': list(slot.definition.command),
        'state': slot.supervision.state,
        'ready': slot.supervision.state == 'running',
        'pid': None if process is None else process.pid,
        'started': None if process is None else process.started,
        'uptime': None if process is None else process.age,
        'operations': None if process is None else process.operations,
        'restarts': max(slot.starts - 1, 0),
        'last_exit': slot.last_exit,
        'last_end': None if slot.last_exit is None else describe_exit(slot.last_exit),
        'cpu_time': None if used is None else used.cpu_time,
        'memory': None if used is None else used.memory,
    }


def _page(lines: Collection[Line], following: int, lost: int) -> dict[str, Any]:
    page: list[list[Any]] = []
    characters = 0
    for line in lines:
        characters += len(line.text)
        if page and characters > _CHARACTERS:
            following = page[-1][0]
            break
        page.append(list(line))
    return {'lines': page, 'next': following, 'lost': lost}
