"""Reads what an instance tells: another process has written it, so everything is checked."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, Final, NamedTuple

__all__ = ['MOST', 'TRACED', 'Told', 'read_entries', 'read_number', 'read_text']

#: the kinds of units of work
TRACED: Final = frozenset(('call', 'rpc', 'emit', 'event', 'task', 'feed', 'http'))

MOST: Final = 1000  # entries of one instance
_TEXT: Final = 1000  # characters: an id may have 255 bytes, in hexadecimal, and a queue after it


class Told(NamedTuple):
    """An entry of the instance with the number `source`; the fields are those of the answer."""

    source: int
    kind: str
    id: str | None
    parent: str | None
    name: str
    peer: str | None
    started: float
    duration: float | None
    outcome: str
    ok: bool | None
    attempt: int

    @property
    def ended(self) -> float:
        """The Unix time of its end, or of its start while it is running."""
        return self.started + (self.duration or 0.0)


def read_entries(answer: Mapping[str, Any], source: int) -> tuple[list[Told], int]:
    """Return the entries in an answer to `lymph.trace`, and how many were left out.

    Entries that are invalid count among these.
    """
    found = answer.get('entries')
    entries = found[:MOST] if isinstance(found, list) else []
    told = [each for entry in entries if (each := _read(entry, source)) is not None]
    left_out = int(read_number(answer, 'left_out') or 0)
    more = len(found) if isinstance(found, list) else 0
    return told, max(0, left_out) + more - len(told)


def _read(entry: object, source: int) -> Told | None:
    if not isinstance(entry, Mapping):
        return None
    kind, name, started = (
        read_text(entry, 'kind'),
        read_text(entry, 'name'),
        read_number(entry, 'started'),
    )
    duration, attempt = read_number(entry, 'duration'), read_number(entry, 'attempt')
    if kind not in TRACED or name is None or started is None or (duration or 0.0) < 0:
        return None
    ok = entry.get('ok')
    return Told(
        source,
        kind,
        read_text(entry, 'id'),
        read_text(entry, 'parent'),
        name,
        read_text(entry, 'peer'),
        started,
        duration,
        read_text(entry, 'outcome') or 'unknown',
        None if duration is None else ok is True,
        int(attempt or 1),
    )


def read_number(values: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number; None if there is none."""
    found = values.get(key)
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        return None
    # an int that is no float would be of no use, and cannot be converted
    return float(found) if abs(found) < _LARGEST and isfinite(found) else None


_LARGEST: Final = 1e12


def read_text(values: Mapping[str, Any], key: str) -> str | None:
    """Return text, cut to a bounded length; None if there is none."""
    found = values.get(key)
    return found[:_TEXT] if isinstance(found, str) else None
