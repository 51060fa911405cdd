"""The file as the thread of a process has it open: transactions, in turn with other processes.

Its files are looked at before a transaction (see `files`): before each one that is to last, before
the others after `_TRUSTED` seconds. When they have gone away the session ends, and what was to be
done fails; it may be opened again. This knows no greenlets and writes no log.
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

__all__ = ['Session']

_TRUSTED = 0.01  # seconds

# SQLite forbids a child even to close what its parent opened, which forgetting it would do.
_left_to_parents: list[object] = []


class Session:
    """A connection to the database at `path`, from `open` to `close`, more than once.

    `gone` says what has become of its files after it ended by itself, until it is open again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.turns = path.with_name(f'{path.name}-turn')
        self.gone: str | None = None
        self._connection: Database | None = None
        self._turns: FileMutex | None = None
        self._files: StoreFiles | None = None
        self._looked_at = 0.0
        self._synchronous = ''

    def open(self) -> None:
        """Open the file, making it if it is not there, unless it is open; raises StoreError."""
        if self._connection is not None:
            return
        try:
            make_private(self.path.parent)
            turns = FileMutex(self.turns)
            try:
                with turns.hold():
                    self._make_file()
                    self._connection, self._files = self._connect()
            except BaseException:
                turns.close()
                raise
        except OSError as error:
            raise StoreError(
                f'cannot write {error.filename}: {error.strerror}; '
                'name a directory that this user can write to'
            ) from error
        self._turns, self._synchronous, self._looked_at, self.gone = turns, '', 0.0, None

    def close(self) -> None:
        """Close the file; again is ignored."""
        connection, turns, files = self._connection, self._turns, self._files
        if connection is not None and turns is not None and files is not None:
            with turns.hold():
                if files.problem() is None:
                    connection.close()
                else:
                    files.let_go()
            turns.close()
            self._connection = None

    def abandon(self) -> None:
        """Leave the file to the parent process: closing it here would be seen there."""
        _left_to_parents.append(self._connection)

    def is_broken(self) -> bool:
        """Tell whether the next transaction will find that files have gone. In any thread."""
        files = self._files
        return self.gone is None and files is not None and files.problem() is not None

    def transact(self, run: Callable[[Database], object], lasting: bool) -> None:
        """Do `run(connection)` in a transaction; `lasting`: it is on the disk afterwards.

        Raises StoreError, sqlite3.Error, and whatever `run` raises; then nothing is done.
        """
        connection, turns, files = self._connection, self._turns, self._files
        if connection is None or turns is None or files is None:
            raise StoreError(self.gone or f'{self.path} is not open')
        with turns.hold():
            problem = self._look(files, lasting)
            if problem is None or files.is_harmless():
                self._transact(connection, run, 'FULL' if lasting else 'NORMAL')
                return
            self._connection = self._turns = None
            files.let_go()
        turns.close()
        self.gone = f'{problem}; it is opened again within seconds'
        raise StoreError(self.gone)

    def _look(self, files: StoreFiles, lasting: bool) -> str | None:
        now = time.monotonic()
        if not lasting and now < self._looked_at + _TRUSTED:
            return None
        self._looked_at = now
        return files.problem()

    def _transact(
        self, connection: Database, run: Callable[[Database], object], synchronous: str
    ) -> None:
        if self._synchronous != synchronous:
            connection.execute(f'PRAGMA synchronous = {synchronous}')
            self._synchronous = synchronous
        connection.execute('BEGIN IMMEDIATE')
        before = connection.total_changes
        try:
            run(connection)
            if connection.total_changes != before:
                connection.note_time()
            connection.execute('COMMIT')
        except BaseException:
            if connection.in_transaction:
                connection.rollback()
            raise

    def _make_file(self) -> None:
        with suppress(FileNotFoundError):
            # SQLite could begin nothing in an empty file that others still have open
            if self.gone is not None and not self.path.stat().st_size:
                self.path.unlink()
        # SQLite would give it the mode of the umask; an empty file is a new database
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
                connection.note_time()  # what others remember of the files is not true any more
        except (StoreError, sqlite3.Error) as error:
            files.let_go()
            if isinstance(error, sqlite3.Error):
                raise StoreError(explain(error, self.path)) from error
            raise
        return connection, files
