"""Leases events from queues. Every function runs in a transaction, in the committer's thread.

From an exclusive queue only the oldest event is leased, and only to the holder of its claim. A
failed event keeps its place: the events behind it wait until it was tried again. A delayed event
takes its place when it is due.

An event that was lost with two consumers is suspect: it may be what kills them. An instance leases
it when it has no other event of the queue, and then leases no other until it is settled. So it
takes no other events to the dead letters with it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing

from lymph.events._embedded.claims import take
from lymph.events._embedded.clock import Database
from lymph.events._embedded.owners import UnknownOwner
from lymph.events.leases import Delivery, Demand, Leased

__all__ = ['lease']

_SUSPICIOUS = 2  # losses; the index messages_suspected depends on it
_RETRY = 0.1  # seconds before a lease is tried again that a suspect event prevented
_PROMOTED = 256  # delayed events of a queue that become ready in one lease
_BYTES = 4 * 1024 * 1024  # of the events in one lease; the last event may exceed it

_QUEUE = """
SELECT queues.id, owners.id FROM queues LEFT JOIN owners ON owners.id = ? WHERE name = ?
"""
_READY = """
SELECT messages.id, ifnull(CAST(data AS BLOB), x''), attempts + 1, losses
FROM messages JOIN events ON events.id = event
WHERE queue = ? AND due IS NULL AND owner IS NULL ORDER BY messages.id LIMIT ?
"""
_PROMOTE = """
UPDATE messages SET due = NULL
WHERE id IN (SELECT id FROM messages WHERE queue = ? AND due <= ? ORDER BY due LIMIT ?)
"""
_SUSPECTED = """
SELECT 1 FROM messages INDEXED BY messages_suspected
WHERE owner = ? AND queue = ? AND losses > 1 LIMIT 1
"""
_LEASED = 'SELECT 1 FROM messages WHERE owner = ? AND queue = ? LIMIT 1'
_FIRST_DUE = 'SELECT min(due) FROM messages WHERE queue = ? AND due IS NOT NULL'
_FIRST_FAILED = """
SELECT id, due FROM messages INDEXED BY messages_failed
WHERE queue = ? AND due IS NOT NULL AND attempts > 0 ORDER BY id LIMIT 1
"""


def lease(db: Database, owner: int, demands: Sequence[Demand], lifetime: float) -> Leased:
    """Lease the oldest ready events to `owner`; each has one more attempt.

    Large events are leased a few at a time: what exceeds 4 MiB is due at once, and the caller asks
    for the queues without events first the next time. Claims that are taken or renewed expire after
    `lifetime` seconds. Raises UnknownOwner.
    """
    deliveries: list[Delivery] = []
    leased = Leased(deliveries)
    room = _BYTES
    for demand in demands:
        if room <= 0:
            leased.due[demand.queue] = 0
            continue
        row = db.execute(_QUEUE, (owner, demand.queue)).fetchone()
        if row is not None and row[1] is None:
            raise UnknownOwner()
        if row is None or not _is_ours(db, row[0], owner, demand, lifetime, leased):
            continue
        rows = _without_suspects(db, row[0], owner, demand, leased, room)
        db.executemany(
            'UPDATE messages SET owner = ?, attempts = ? WHERE id = ?',
            [(owner, attempt, id) for id, _, attempt in rows],
        )
        deliveries += [
            Delivery(id, demand.queue, data, attempt, owner) for id, data, attempt in rows
        ]
        room -= sum(len(data) for _, data, _ in rows)
        if room <= 0:
            leased.due[demand.queue] = 0  # the rest, if there is more
    return leased


def _is_ours(
    db: Database, queue: int, owner: int, demand: Demand, lifetime: float, leased: Leased
) -> bool:
    """Take or renew the claim of a demand, if it has one; note when to ask again."""
    if demand.claim is None:
        return True
    now = time.monotonic()
    wait = take(db, queue, owner, demand.claim, now, now + lifetime)
    if wait is not None:
        leased.due[demand.queue] = wait
        return False
    leased.claims[demand.queue] = now + lifetime
    return True


def _without_suspects(
    db: Database, queue: int, owner: int, demand: Demand, leased: Leased, room: int
) -> list[tuple[int, bytes, int]]:
    """Return id, data and attempt of the events to lease; a suspect one is alone."""
    rows = _ready(db, queue, demand, leased, room)
    if not rows:
        return []
    # first       leased by this owner from this queue   now leased
    # ----------  -------------------------------------  ------------------------------------
    # any event   a suspect                              nothing, until it is settled
    # a suspect   others                                 nothing, until these are settled
    # a suspect   nothing                                the suspect alone
    # another     others or nothing                      those in front of the first suspect
    if db.execute(_SUSPECTED, (owner, queue)).fetchone():
        return _lease_no_more(demand, leased)
    count = next((n for n, row in enumerate(rows) if row[3] >= _SUSPICIOUS), len(rows))
    if count == 0:
        if db.execute(_LEASED, (owner, queue)).fetchone():
            return _lease_no_more(demand, leased)
        count = 1
    if count < len(rows):
        _lease_no_more(demand, leased)
    return [(id, data, attempt) for id, data, attempt, _ in rows[:count]]


def _lease_no_more(demand: Demand, leased: Leased) -> list[tuple[int, bytes, int]]:
    """Note that the queue is due again soon; return no events."""
    leased.due[demand.queue] = min(leased.due.get(demand.queue, _RETRY), _RETRY)
    return []


def _ready(
    db: Database, queue: int, demand: Demand, leased: Leased, room: int
) -> list[tuple[int, bytes, int, int]]:
    """Return id, data, attempt and losses of the ready events, up to `room` bytes.

    Notes when the next event is due.
    """
    now = db.now()
    (due,) = db.execute(_FIRST_DUE, (queue,)).fetchone()
    if due is not None and due <= now:
        # There may be more of them than become ready at once: those are due now.
        db.execute(_PROMOTE, (queue, now, _PROMOTED))
        (due,) = db.execute(_FIRST_DUE, (queue,)).fetchone()
    rows = _first_of(db.execute(_READY, (queue, demand.count)), room)
    if demand.claim is not None:
        # A failed event keeps its place in an exclusive queue: while it is the first and waits for
        # its next attempt, nothing behind it is leased.
        failed = db.execute(_FIRST_FAILED, (queue,)).fetchone()
        if failed is not None and (not rows or failed[0] < rows[0][0]):
            rows, due = [], failed[1]
    if due is not None:
        leased.due[demand.queue] = max(due - now, 0)
    return rows


def _first_of(found: sqlite3.Cursor, room: int) -> list[tuple[int, bytes, int, int]]:
    """Read rows until their data fill `room` bytes; the rest is never loaded."""
    rows = []
    with closing(found):
        for row in found:
            rows.append(row)
            room -= len(row[1])
            if room <= 0:
                break
    return rows
