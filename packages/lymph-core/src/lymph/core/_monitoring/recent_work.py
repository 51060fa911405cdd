"""What an instance did lately: its last units of work, and those that are in progress.

An entry is a plain tuple, made when the unit ends:

========  ===========================================================================
kind      ``call``: an attempt of a call; ``rpc``: a call that was answered; ``emit``;
          ``event`` and ``task``: an attempt to handle one; ``feed``: an event passed on
          to the partition of a serial handler; ``http``: a request
trace id  text
id        of a call and of its answer: the id of the request; of an emission: the id of
          the event; of others: unique in this process
parent    the id of the unit in which a call or an emission was made, None if there was
          none; of an attempt to handle an event: the id of the event
name      the method, the type of the event, the handler or the task; of a request, its
          HTTP method and its path
peer      the endpoint or the service that is called, the address of a caller, the queue
          of an event; of an HTTP request, the interface
started   a time of `time.monotonic`
duration  seconds; None: in progress
outcome   ``ok``; the class of an error, with ``, given up`` if no other attempt to
          handle the event follows; the reason of a NACK; the status of an answer
attempt   which attempt it is of the call, or to handle the event, from 1
========  ===========================================================================

Nothing of arguments, payloads and results is in it. All texts have the bounds of
`lymph.core.limits`, so 2,000 entries take 0.8 MB, and at most 4 MB.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from lymph.core.failures import error_name
from lymph.exceptions import Nack, RemoteError

__all__ = [
    'DEFAULT_KEEP',
    'GIVEN_UP',
    'LONGEST',
    'RecentWork',
    'WorkEntry',
    'has_failed',
    'outcome_of',
    'text_of',
]

DEFAULT_KEEP: Final = 2000  # entries
LONGEST: Final = 255  # characters of a name, a peer or an outcome
#: what follows the class of an error that ends the attempts to handle an event
GIVEN_UP: Final = ', given up'
_FAILED: Final = 4  # units that succeeded are kept for each one that failed

#: see above
WorkEntry = tuple[str, str, Any, Any, Any, Any, float, 'float | None', str, int]


class RecentWork:
    """The last `keep` units of work of a process, and those that are in progress.

    Those that failed have a ring of their own, of a quarter of this size: however many succeed
    meanwhile, they are still known when somebody looks for them. `begin` and `end` show a unit
    while it runs. Calls in progress are known elsewhere: `sources` tell them. Whoever finds a
    `keep` of 0 tells nothing.
    """

    def __init__(self, keep: int = DEFAULT_KEEP) -> None:
        self.keep: Final = keep
        self._ring: deque[WorkEntry] = deque(maxlen=keep)
        self._failures: deque[WorkEntry] = deque(maxlen=(keep + _FAILED - 1) // _FAILED)
        #: adds a unit that succeeded; cheaper than `put`
        self.add: Final[Callable[[WorkEntry], object]] = self._ring.append
        self._running: Final[dict[int, WorkEntry]] = {}  # those that `begin` has begun
        #: functions that return entries of other units in progress
        self.sources: Final[list[Callable[[], Iterable[WorkEntry]]]] = []
        #: makes ids that are unique in this process
        self.new_id: Final = itertools.count(1).__next__

    def begin(
        self,
        kind: str,
        trace_id: str,
        id: object,
        parent: object,
        name: object,
        peer: str | None,
        started: float,
        attempt: int = 1,
    ) -> int:
        """Begin a unit of work that only this object knows; return a key for `end`."""
        if not self.keep:
            return 0
        key = self.new_id()
        self._running[key] = kind, trace_id, id, parent, name, peer, started, None, '', attempt
        return key

    def end(self, key: int, outcome: str) -> None:
        """End the unit of work that `begin` has begun."""
        begun = self._running.pop(key, None)
        if begun is not None:
            kind, trace_id, id, parent, name, peer, started, _, _, attempt = begun
            seconds = time.monotonic() - started
            self.put((kind, trace_id, id, parent, name, peer, started, seconds, outcome, attempt))

    def put(self, entry: WorkEntry) -> None:
        """Add a unit that has ended, however it did."""
        if has_failed(entry):
            self._failures.append(entry)
        else:
            self.add(entry)

    def of(self, trace_id: str) -> list[WorkEntry]:
        """Return what is known of a trace: what has ended, then what is in progress."""
        return [entry for entry in self if entry[1] == trace_id]

    @property
    def since(self) -> float | None:
        """Since when everything that has ended is kept, a time of `time.monotonic`; None: ever."""
        if not self.keep:
            return time.monotonic()
        full = [ring[0] for ring in (self._ring, self._failures) if len(ring) == ring.maxlen]
        return max((oldest[6] + (oldest[7] or 0.0) for oldest in full), default=None)

    def __iter__(self) -> Iterator[WorkEntry]:
        """Yield all entries, those of units in progress last."""
        yield from tuple(self._ring)
        yield from tuple(self._failures)
        if self.keep:
            yield from tuple(self._running.values())
            for source in self.sources:
                yield from tuple(source())


def has_failed(entry: WorkEntry) -> bool:
    """Tell whether a unit has failed; an HTTP request fails if the server is to blame."""
    if entry[7] is None:
        return False
    return entry[8] >= '500' if entry[0] == 'http' else entry[8] != 'ok'


def outcome_of(error: BaseException) -> str:
    """Return the outcome of a call that has ended with an error: a reason, or a class."""
    if isinstance(error, Nack):
        reason: object = error.reason
        return reason[:LONGEST] if isinstance(reason, str) else 'failed'
    if isinstance(error, RemoteError):
        type: object = error.type
        if isinstance(type, str):
            return type[:LONGEST]
    return error_name(error)[:LONGEST]


def text_of(id: object) -> str | None:
    """Return the id of a unit as text."""
    if id is None or isinstance(id, str):
        return id
    if isinstance(id, bytes):
        return id.hex()
    return '/'.join(map(str, id)) if isinstance(id, tuple) else str(id)
