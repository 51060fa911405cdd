"""Claims: who consumes an exclusive queue. Every function runs in a transaction.

- A queue has one claim at most. It is taken with a lease, named by a token that its consumer made
  up, and given back when that consumer is done.
- The end of its owner ends it too (see `owners`). An owner that lives but stands still, which may
  hold its file for ever, loses it when it was not renewed in time.
- Whoever takes a claim over takes back what is still leased from the queue: leases are settled by
  their owner alone, so what the last one says about them later counts no more.
- Times are those of the monotonic clock, which all processes of a machine share and nobody sets. A
  claim from before a restart of the machine is the claim of an owner that is dead.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from lymph.events._embedded.clock import Database
from lymph.events._embedded.messages import bury, recover
from lymph.events.deliveries import after_loss

__all__ = ['let_go', 'renew', 'take', 'take_back']


def take(
    db: Database, queue: int, owner: int, token: str, now: float, expires: float
) -> float | None:
    """Take or renew the claim `token` to a queue until `expires`.

    Returns None, or after how many seconds the claim that another one holds may be over.
    """
    held = db.execute('SELECT token, expires FROM claims WHERE queue = ?', (queue,)).fetchone()
    if held is not None and held[0] != token and held[1] > now:
        other_expires: float = held[1]
        return min(other_expires, expires) - now
    if held is None or held[0] != token:
        take_back(db, 'queue = ?', queue, 'its consumer stood still')
    db.execute('REPLACE INTO claims VALUES (?, ?, ?, ?)', (queue, token, owner, expires))
    return None


def renew(db: sqlite3.Connection, tokens: Iterable[str], expires: float) -> set[str]:
    """Let claims end at `expires`; returns those that still stand."""
    sql = 'UPDATE claims SET expires = ? WHERE token = ?'
    return {token for token in tokens if db.execute(sql, (expires, token)).rowcount}


def let_go(db: sqlite3.Connection, token: str) -> None:
    """End a claim."""
    db.execute('DELETE FROM claims WHERE token = ?', (token,))


def take_back(db: Database, where: str, value: int, why: str) -> set[str]:
    """Make ready what is leased; what was lost too often goes to the dead letters.

    Returns the names of the queues that have events again.
    """
    leased = db.execute(
        'SELECT messages.id, owner, attempts, losses, name FROM messages '
        f'JOIN queues ON queues.id = queue WHERE owner IS NOT NULL AND {where}',
        (value,),
    ).fetchall()
    for id, owner, attempts, losses, _ in leased:
        if after_loss(losses + 1):
            recover(db, owner, id)
        else:
            bury(db, owner, id, f'{why} in attempt {attempts}, as often before')
    return {name for *_, name in leased}
