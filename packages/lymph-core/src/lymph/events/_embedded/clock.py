"""The clock of the file, which all processes share and nobody sets.

It begins with the Unix time at which the file was made, and goes on with the time since the machine
was started (`boottime` of `lymph.core._system.clocks`). So it runs at the rate of the wall clock,
and does not follow it when that is set; delays, and how long an event has waited, do not either.

The table `clocks` has one row for each boot of the machine that is in use:

=========  =========================================================================================
`boot`     `lymph.core._system.clocks.boot_id`
`ahead`    seconds to add to the time since that boot
`seen`     the time of the file's clock when it was noted last
`wall`     the time of the wall clock then
=========  =========================================================================================

Only the wall clock tells how much time has passed while the machine was restarted. So the first
process that opens the file afterwards continues the file's clock where it was noted last, plus the
difference of the wall clock; if that is negative, plus nothing. Then delays end later, never
earlier. The same holds for a file that was moved from another machine.
"""

from __future__ import annotations

import sqlite3
import time

from lymph.core._system.clocks import boot_id, boottime

__all__ = ['CLOCKS', 'Database', 'start_clock']

_NOTED = 20.0  # seconds between two notes of one process
_KEPT = 86400.0  # seconds; containers on one machine may have boot ids of their own

CLOCKS = """
CREATE TABLE clocks (
    boot TEXT PRIMARY KEY,
    ahead REAL NOT NULL,
    seen REAL NOT NULL,
    wall REAL NOT NULL
) WITHOUT ROWID;
"""

# impossible times in a damaged file are ignored
_POSSIBLE = 'BETWEEN 0 AND 1e11'  # seconds
_KNOWN = f"""
SELECT ahead, seen FROM clocks
WHERE boot = ? AND ahead BETWEEN -1e11 AND 1e11 AND seen {_POSSIBLE}
"""
_LAST = f"""
SELECT seen, wall FROM clocks WHERE seen {_POSSIBLE} AND wall {_POSSIBLE}
ORDER BY seen DESC LIMIT 1
"""


class Database(sqlite3.Connection):
    """A connection with the file's clock, which `start_clock` starts."""

    boot = ''
    ahead = 0.0
    _note_at = 0.0

    def now(self) -> float:
        """Return the time of the file's clock, in seconds."""
        return boottime() + self.ahead

    def note_time(self, now: bool = False) -> None:
        """Note the time of both clocks, in a transaction; without `now`, at most every 20 s."""
        passed = boottime()
        if now or passed >= self._note_at:
            self._note_at = passed + _NOTED
            row = (self.boot, self.ahead, passed + self.ahead, time.time())
            self.execute('REPLACE INTO clocks VALUES (?, ?, ?, ?)', row)


def start_clock(db: Database) -> None:
    """Read the file's clock; set it when it is new, or the machine was restarted.

    The caller holds the write mutex.
    """
    db.boot, passed, wall = boot_id(), boottime(), time.time()
    known = db.execute(_KNOWN, (db.boot,)).fetchone()
    # where boots have no id, time that ran backwards tells that this is another one
    if known is not None and passed + known[0] >= known[1]:
        db.ahead = known[0]
        return
    last = db.execute(_LAST).fetchone()
    now = wall if last is None else last[0] + max(wall - last[1], 0)
    db.ahead = now - passed
    db.execute('BEGIN IMMEDIATE')
    try:
        db.execute('DELETE FROM clocks WHERE seen < ?', (now - _KEPT,))
        db.note_time()
        db.execute('COMMIT')
    except BaseException:
        db.rollback()
        raise
