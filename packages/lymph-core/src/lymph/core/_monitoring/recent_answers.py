"""What an instance tells of its recent work: the answers to `lymph.trace` and `lymph.recent`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from lymph.core._monitoring.recent_work import RecentWork, WorkEntry, has_failed, text_of

__all__ = ['entries_of_trace', 'latest_traces', 'reach']

MOST_ENTRIES: Final = 500  # of one trace
MOST_TRACES: Final = 200

_CAUSED: Final = ('rpc', 'event', 'task', 'feed')  # something else has caused them


def entries_of_trace(recent: RecentWork, trace_id: str) -> dict[str, Any]:
    """Return the entries of a trace, in the order of their starts, and how many are left out.

    Of too many, those that succeeded last are left out.
    """
    found = sorted(recent.of(trace_id), key=_started)
    kept = found
    if len(found) > MOST_ENTRIES:
        kept = sorted(sorted(found, key=_has_gone_well)[:MOST_ENTRIES], key=_started)
    wall = _wall()
    return {
        'entries': [_facts(entry, wall) for entry in kept],
        'left_out': len(found) - len(kept),
    }


def latest_traces(
    recent: RecentWork, limit: int, failed: bool, slow: float, ids: Sequence[str] | None
) -> dict[str, Any]:
    """Return a summary of each of the latest traces, the newest first; at most `limit`.

    With `failed`, only traces in which something failed; with `slow`, those in which something took
    so many seconds; with `ids`, only these traces. Traces that only asked the built-in interface
    are left out.
    """
    wanted = None if ids is None else frozenset(ids)
    traces: dict[str, list[WorkEntry]] = {}
    for entry in recent:
        if entry[1] in wanted if wanted is not None else entry[1]:
            traces.setdefault(entry[1], []).append(entry)
    found = [
        entries
        for entries in traces.values()
        if (not failed or any(map(has_failed, entries)))
        and (not slow or any(_seconds(entry) >= slow for entry in entries))
        and not all(map(_is_builtin, entries))
    ]
    found.sort(key=lambda entries: max(map(_started, entries)), reverse=True)
    wall = _wall()
    limit = max(0, min(limit, MOST_TRACES))
    return {
        'traces': [_summary(entries, wall) for entries in found[:limit]],
        'left_out': len(found[limit:]),
    }


def reach(recent: RecentWork) -> dict[str, Any]:
    """Return how much is kept, since which Unix time (None: since the start), and the time now."""
    since = recent.since
    return {
        'keep': recent.keep,
        'since': None if since is None else _wall() + since,
        'now': time.time(),
    }


def _summary(entries: Sequence[WorkEntry], wall: float) -> dict[str, Any]:
    """Return what is told of one trace; its root is the first unit that nothing else has caused."""
    first = min(entries, key=_rank)
    started = min(map(_started, entries))
    return {
        'trace_id': first[1],
        **{key: value for key, value in _facts(first, wall).items() if key in _OF_ROOT},
        'root': not _is_caused(first),
        'started': wall + started,
        'ended': wall + max(entry[6] + _seconds(entry) for entry in entries),
        'units': len(entries),
        'failures': sum(map(has_failed, entries)),
        'running': sum(entry[7] is None for entry in entries),
    }


_OF_ROOT: Final = ('kind', 'name', 'duration', 'outcome', 'ok')


def _facts(entry: WorkEntry, wall: float) -> dict[str, Any]:
    kind, _, id, parent, _, peer, started, duration, outcome, attempt = entry
    running = duration is None
    return {
        'kind': kind,
        'id': text_of(id),
        'parent': text_of(parent),
        'name': _name(entry),
        'peer': peer,
        'started': wall + started,
        'duration': duration,
        'outcome': 'running' if running else outcome,
        'ok': None if running else not has_failed(entry),
        'attempt': attempt,
    }


def _name(entry: WorkEntry) -> str:
    """Return the name in an entry as text."""
    name = entry[4]
    if isinstance(name, str):
        return name
    return name.decode(errors='replace') if isinstance(name, bytes) else ' '.join(name)


def _is_builtin(entry: WorkEntry) -> bool:
    return entry[0] == 'call' and _name(entry).startswith('lymph.')


def _has_gone_well(entry: WorkEntry) -> bool:
    return not has_failed(entry)


def _is_caused(entry: WorkEntry) -> bool:
    return entry[0] in _CAUSED or entry[3] is not None


def _rank(entry: WorkEntry) -> tuple[bool, float]:
    return _is_caused(entry), entry[6]


def _started(entry: WorkEntry) -> float:
    return entry[6]


def _seconds(entry: WorkEntry) -> float:
    return time.monotonic() - entry[6] if entry[7] is None else entry[7]


def _wall() -> float:
    """Return what added to a time of `time.monotonic` makes it a Unix time."""
    return time.time() - time.monotonic()
