"""The connection of a process to the database: opens it and runs transactions.

=========  ===================================================================  ==================
state      `transact`                                                           left for
=========  ===================================================================  ==================
closed     raises StoreError                                                    open, by `open`
open       runs the transaction; raises StoreError when the files are lost      closed, by `close`;
                                                                                lost
lost       raises StoreError, which says what became of the files (`gone`)      open, by `open`
=========  ===================================================================  ==================

A transaction holds the write mutex, a lock file of its own: one process writes, the others sleep
until the kernel wakes them. SQLite's own wait polls with growing intervals, which starves those who
wait behind a busy writer.

The files are checked (see `files`) before each transaction that has to be durable, and before the
others after `_TRUSTED` seconds. Nothing here uses greenlets or logs: it runs in the thread of the
committer.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from lymph.core._system.lock_files import FileMutex
from lymph.core._system.state import make_private
from lymph.events._embedded.clock import Database
from lymph.events._embedded.database import StoreError, explain, open_database
from lymph.events._embedded.files import StoreFiles

__all__ = ['StoreConnection']

_TRUSTED = 0.01  # seconds after a check in which the files are not checked again

# A forked child must not even close a connection of its parent, as garbage collection would do.
# Source: https://sqlite.org/howtocorrupt.html, on fork().
_left_to_parents: list[object] = []


class StoreConnection:
    """A connection to the database at `path`; may be opened and closed more than once.

    `gone` says what became of the files after they were lost, until they are open again;
    `mutex_path` is the file of the write mutex.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.mutex_path = path.with_name(f'{path.name}-turn')
        self.gone: str | None = None
        self._connection: Database | None = None
        self._mutex: FileMutex | None = None
        self._files: StoreFiles | None = None
        self._checked_at = 0.0
        self._synchronous = ''

    def open(self) -> None:
        """Open the database, unless it is open, and make it if it is missing. Raises StoreError."""
        if self._connection is not None:
            return
        try:
            make_private(self.path.parent)
            mutex = FileMutex(self.mutex_path)
            try:
                with mutex.hold():
                    self._make_file()
                    self._connection, self._files = self._connect()
            except BaseException:
                mutex.close()
                raise
        except OSError as error:
            raise StoreError(
                f'cannot write {error.filename}: {error.strerror}; '
                'name a directory that this user can write to'
            ) from error
        self._mutex, self._synchronous, self._checked_at, self.gone = mutex, '', 0.0, None

    def close(self) -> None:
        """Close the database; waits for the write mutex. Idempotent."""
        connection, mutex, files = self._connection, self._mutex, self._files
        if connection is not None and mutex is not None and files is not None:
            with mutex.hold():
                if files.problem() is None:
                    connection.close()
                else:
                    files.save_and_close()
            mutex.close()
            self._connection = None

    def abandon(self) -> None:
        """Leave the connection to the parent process, which would see it closed."""
        _left_to_parents.append(self._connection)

    def is_broken(self) -> bool:
        """Tell whether the next transaction will find the files lost. Safe in any thread."""
        files = self._files
        return self.gone is None and files is not None and files.problem() is not None

    def transact(self, run: Callable[[Database], object], lasting: bool) -> bool:
        """Do `run(connection)` in a transaction; return whether that changed anything.

        With `lasting`, it is on the disk afterwards. Raises StoreError, sqlite3.Error, and whatever
        `run` raises; then nothing was done.
        """
        connection, mutex, files = self._connection, self._mutex, self._files
        if connection is None or mutex is None or files is None:
            raise StoreError(self.gone or f'{self.path} is not open')
        with mutex.hold():
            problem = self._check(files, lasting)
            if problem is None or files.is_harmless():
                return self._transact(connection, run, 'FULL' if lasting else 'NORMAL')
            # The connection is given up first, whatever goes wrong while it is saved.
            self._connection = self._mutex = None
            files.save_and_close()
        mutex.close()
        self.gone = f'{problem}; it is opened again within seconds'
        raise StoreError(self.gone)

    def _check(self, files: StoreFiles, lasting: bool) -> str | None:
        now = time.monotonic()
        if not lasting and now < self._checked_at + _TRUSTED:
            return None
        self._checked_at = now
        return files.problem()

    def _transact(
        self, connection: Database, run: Callable[[Database], object], synchronous: str
    ) -> bool:
        if self._synchronous != synchronous:
            connection.execute(f'PRAGMA synchronous = {synchronous}')
            self._synchronous = synchronous
        connection.execute('BEGIN IMMEDIATE')
        before = connection.total_changes
        try:
            run(connection)
            changed = connection.total_changes != before
            if changed:
                connection.note_time()
            connection.execute('COMMIT')
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise
        return changed

    def _make_file(self) -> None:
        with suppress(FileNotFoundError):
            # SQLite cannot begin a database in an empty file that others still have open
            if self.gone is not None and not self.path.stat().st_size:
                self.path.unlink()
        # SQLite would make it with the mode of the umask; an empty file is a new database
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))

    def _connect(self) -> tuple[Database, StoreFiles]:
        connection = open_database(self.path)
        files = StoreFiles(self.path, connection)
        try:
            if not files.are_in_use():
                raise StoreError(
                    f'{self.path} has lost its write-ahead log or the index of that, and others '
                    'still use what it was; it can be opened when they have noticed'
                )
            if self.gone is not None:
                connection.note_time()  # a commit, so that others notice what became of their files
        except (StoreError, sqlite3.Error) as error:
            files.save_and_close()
            if isinstance(error, sqlite3.Error):
                raise StoreError(explain(error, self.path)) from error
            raise
        return connection, files
