"""The SQLite file: its tables, how it is opened, and what its errors mean.

=============  ====================================================================================
events         emitted events, each once for all queues; removed with their last message
messages       one for each event and queue; with `due`: delayed; with `owner`: leased; `losses` is
               how often it was taken back from a dead consumer
queues         `temporary` 0: durable, 1: deleted with its last consumer, 2: deleted; see `routing`
bindings       the topics that a queue collects
consumers      which owner consumes which queue, and its topics; NULL from an older lymph
owners         instances that consume; no id is used twice, so that an event that was taken back
               cannot be settled by its former owner
claims         which owner consumes an exclusive queue, and until when
dead_letters   events that were given up
changes        one random number, replaced when queues or bindings change
clocks         the time of the file's clock; see `clock`
=============  ====================================================================================

Times are seconds:

- `messages.due` and `events.emitted` are of the file's clock: delays outlive processes and
  restarts of the machine
- `owners.expires` and `claims.expires` are of the monotonic clock: nobody expires while the machine
  is suspended
- `dead_letters.emitted` and `dead_letters.died` are Unix times, for people
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from lymph.events._embedded.clock import CLOCKS, Database, start_clock
from lymph.exceptions import LymphError

__all__ = ['StoreError', 'explain', 'give_back', 'open_database']

_APPLICATION = 0x6C796D70  # `PRAGMA application_id`: 'lymp'
_FORMAT = 6  # `PRAGMA user_version`
_BUSY = 5.0  # seconds that SQLite waits for programs without the write mutex, as its own shell
_SPARE = 1000  # free pages that are kept for new events
_GIVEN_BACK = 250  # pages in one step, a few milliseconds
_WRITTEN_BACK = 1000  # pages of the log after which it is written back, SQLite's default
_WAL_KEPT = 16 << 20  # bytes of the write-ahead log that stay allocated

_CLAIMS = """
CREATE TABLE claims (
    queue INTEGER PRIMARY KEY,
    token TEXT NOT NULL,
    owner INTEGER NOT NULL,
    expires REAL NOT NULL
);
"""
_FAILED = """
CREATE INDEX messages_failed ON messages (queue, id) WHERE due IS NOT NULL AND attempts > 0;
"""
_LOSSES = """
ALTER TABLE messages ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
CREATE INDEX messages_suspected ON messages (owner, queue) WHERE losses > 1;
"""
_TOPICS = """
ALTER TABLE consumers ADD COLUMN topics TEXT;
"""
# What to add to a file of each format for the next one. Before format 5 all times were Unix times,
# with which a new clock begins.
_UPGRADES = {1: _CLAIMS, 2: _FAILED, 3: _LOSSES, 4: CLOCKS, 5: _TOPICS}
_TABLES = """
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    data BLOB NOT NULL,
    emitted REAL NOT NULL
);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event INTEGER NOT NULL,
    queue INTEGER NOT NULL,
    due REAL,
    owner INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX messages_of_event ON messages (event);
CREATE INDEX messages_ready ON messages (queue, id) WHERE due IS NULL AND owner IS NULL;
CREATE INDEX messages_delayed ON messages (queue, due) WHERE due IS NOT NULL;
CREATE INDEX messages_leased ON messages (owner) WHERE owner IS NOT NULL;
CREATE TRIGGER events_without_messages AFTER DELETE ON messages
    WHEN NOT EXISTS (SELECT 1 FROM messages WHERE event = old.event)
    BEGIN DELETE FROM events WHERE id = old.event; END;
CREATE TABLE queues (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    temporary INTEGER NOT NULL
);
CREATE TABLE bindings (
    queue INTEGER NOT NULL,
    topic TEXT NOT NULL,
    PRIMARY KEY (queue, topic)
) WITHOUT ROWID;
CREATE TABLE owners (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    token TEXT NOT NULL,
    pid INTEGER NOT NULL,
    namespace TEXT,
    expires REAL NOT NULL
);
CREATE TABLE consumers (
    queue INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    PRIMARY KEY (queue, owner)
) WITHOUT ROWID;
CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    data BLOB NOT NULL,
    error TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    emitted REAL NOT NULL,
    died REAL NOT NULL
);
CREATE INDEX dead_letters_of_queue ON dead_letters (queue, id);
CREATE TABLE changes (number INTEGER NOT NULL);
INSERT INTO changes VALUES (1);
"""


class StoreError(LymphError):
    """The database cannot be used; one line that names its file and says what to do."""


def open_database(path: Path) -> Database:
    """Return a connection to the database, which is made when it is missing or empty.

    The caller holds the write mutex. Raises StoreError; a file that is damaged, of another program
    or of a newer lymph is not changed.
    """
    try:
        connection = sqlite3.connect(
            path, timeout=_BUSY, isolation_level=None, check_same_thread=False, factory=Database
        )
    except sqlite3.Error as error:
        raise StoreError(explain(error, path)) from error
    try:
        _prepare(connection, path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        connection.close()
        raise StoreError(explain(error, path)) from error
    except BaseException:
        connection.close()
        raise
    return connection


def explain(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> str:
    """Return one line: what an error of SQLite means for the file, and what to do."""
    # sqlite3 cannot even decode an error that quotes a damaged schema
    text = 'malformed schema' if isinstance(error, UnicodeDecodeError) else str(error)
    for sign, words in _MEANINGS:
        if sign in text:
            return f'{path} {words} ({text})'
    return f'{path}: SQLite says: {text}'


def give_back(db: sqlite3.Connection) -> bool:
    """Return some free pages of the file to the disk; return whether there are more.

    The file becomes shorter when the log is written back. That is after a thousand more pages,
    which may never come, so the commit of the last step does it.
    """
    if _pragma(db, 'wal_autocheckpoint') == 1:
        db.execute(f'PRAGMA wal_autocheckpoint = {_WRITTEN_BACK}')
        return False
    free = _pragma(db, 'freelist_count') - _SPARE
    for _ in range(min(free, _GIVEN_BACK)):
        # sqlite3 does one step of a statement without columns, which is one page
        db.execute('PRAGMA incremental_vacuum(1)')
    if 0 < free <= _GIVEN_BACK:
        db.execute('PRAGMA wal_autocheckpoint = 1')
    return free > 0


_MEANINGS = (
    ('disk is full', 'cannot grow: its disk is full; make room'),
    ('not a database', 'is damaged or no events database; move it away and start again'),
    ('malformed', 'is damaged; move it away and start again, or recover it with sqlite3 .recover'),
    ('readonly', 'cannot be written; check its owner, its mode and its disk'),
    ('unable to open', 'cannot be opened; check its directory, its owner and its mode'),
    ('disk I/O error', 'cannot be read or written; check its disk, quota and file size limit'),
    ('locked', f'is held by another program for more than {_BUSY} s; end that program'),
)


def _prepare(connection: Database, path: Path) -> None:
    application = _pragma(connection, 'application_id')
    version = _pragma(connection, 'user_version')
    tables = connection.execute('SELECT count(*) FROM sqlite_master').fetchone()[0]
    if (application, version, tables) == (0, 0, 0):
        _create(connection)
    elif application != _APPLICATION:
        raise StoreError(
            f'{path} is a database of another program; name another directory for events'
        )
    elif version > _FORMAT:
        raise StoreError(
            f'{path} was written by a newer lymph (format {version}, this one knows {_FORMAT}); '
            'upgrade lymph here, or name another directory for events'
        )
    elif version < _FORMAT:
        _upgrade(connection, version)
    if connection.execute('PRAGMA journal_mode = WAL').fetchone()[0] != 'wal':
        raise StoreError(f'{path} cannot have a write-ahead log; put it on a local disk')
    connection.execute(f'PRAGMA journal_size_limit = {_WAL_KEPT}')
    start_clock(connection)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute('PRAGMA auto_vacuum = INCREMENTAL')  # before there are tables
    connection.execute('PRAGMA journal_mode = WAL')
    connection.execute('BEGIN IMMEDIATE')
    try:
        for statement in _statements(_TABLES + _CLAIMS + _FAILED + _LOSSES + CLOCKS + _TOPICS):
            connection.execute(statement)
        connection.execute(f'PRAGMA application_id = {_APPLICATION}')
        connection.execute(f'PRAGMA user_version = {_FORMAT}')
        connection.execute('COMMIT')
    except BaseException:
        connection.rollback()
        raise


def _upgrade(connection: sqlite3.Connection, version: int) -> None:
    """Add to a file of an older format what it lacks."""
    connection.execute('BEGIN IMMEDIATE')
    try:
        for older in range(version, _FORMAT):
            for statement in _statements(_UPGRADES[older]):
                connection.execute(statement)
        connection.execute(f'PRAGMA user_version = {_FORMAT}')
        connection.execute('COMMIT')
    except BaseException:
        connection.rollback()
        raise


def _statements(script: str) -> list[str]:
    # executescript() would commit the transaction that holds them together
    found, statement = [], ''
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            found.append(statement)
            statement = ''
    return found


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f'PRAGMA {name}').fetchone()[0]
    return value
