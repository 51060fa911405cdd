"""The files of the database: are they still those that SQLite has open?

SQLite keeps using files that were removed, replaced or cut off, without an error: nobody finds what
it writes. There are three:

============  =====================================================================================
the database  pages that were written back from the log
``-wal``      the write-ahead log, which every commit is appended to
``-shm``      the index of the log, and the locks of those who use it
============  =====================================================================================

They are checked before each transaction. Whoever finds one missing, replaced or cut off saves what
can be saved, closes the connection, and opens what is there then.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
from contextlib import closing, suppress
from pathlib import Path

__all__ = ['StoreFiles']

_File = tuple[int, int]  # device and inode

_LOG_KEPT = 16 << 20  # bytes; SQLite may give back what a log has above its journal_size_limit
_MAGIC = (0x377F0682, 0x377F0683)  # how a log begins; source: the file format of SQLite
_LOCKED, _LOCKED_SIZE = 0x40000002, 510  # what an open database is locked with; source: its os.h
_DESCRIPTORS = '/proc/self/fd'


class StoreFiles:
    """The files of the database at `path` that `db` has just opened.

    Call everything but `problem` with the write mutex held.
    """

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self._path = str(path)
        self._db = db
        self._real = os.path.realpath(path)  # SQLite keeps the others beside what a link leads to
        self._log, self._index = f'{self._real}-wal', f'{self._real}-shm'
        self._files = [_identify(each) for each in (self._path, self._log, self._index)]
        self._log_size = 0
        self._cut = False  # the log may lack what it had

    def are_in_use(self) -> bool:
        """Tell whether this process has these files open, and the log fits its index."""
        opened = _descriptors()
        if None in self._files or (opened and not opened.keys() >= set(self._files)):
            return False
        if _size(self._log):
            return True
        try:  # the index may count on what was in a log that is gone
            _, frames, written = self._db.execute('PRAGMA wal_checkpoint').fetchone()
        except sqlite3.Error:
            return False
        return bool(frames == written)

    def problem(self) -> str | None:
        """Return what became of the files, in words; None while all is well. Never waits."""
        try:
            found = database, log, _ = [
                os.stat(self._path),
                os.stat(self._log),
                os.stat(self._index),
            ]
        except OSError:
            found = []
        if [(each.st_dev, each.st_ino) for each in found] != self._files:
            return self._what_is_gone()
        if not database.st_size:
            return f'{self._path} was emptied while it was in use'
        size = log.st_size
        # What was cut off is a hole as soon as somebody writes behind it
        if size < self._log_size or (log.st_blocks * 512 < size and self._has_hole()):
            self._cut = True
            return f'{self._log} was cut off while it was in use'
        self._log_size = min(size, _LOG_KEPT)
        return None

    def is_harmless(self) -> bool:
        """Tell whether a log that became shorter lacks nothing, so that the files can be used on.

        That is so after another program has written it back.
        """
        if not self._cut or self._what_is_gone() is not None or self._lacks():
            return False
        self._log_size, self._cut = 0, False
        return True

    def save_and_close(self) -> None:
        """Save what can be saved and close the connection. Raises nothing."""
        with suppress(sqlite3.Error, OSError):
            self._save()
        with suppress(sqlite3.Error):
            self._close()

    def _what_is_gone(self) -> str | None:
        for path, file in zip((self._path, self._log, self._index), self._files, strict=True):
            if _identify(path) != file:
                return f'{path} was removed or replaced while it was in use'
        return None

    def _has_hole(self) -> bool:
        """Tell whether parts of the log were never written, or it does not begin as a log."""
        try:
            # SQLite holds no lock of the log that would be lost with a descriptor
            with open(self._log, 'rb') as log:
                head = log.read(4)
                size = os.fstat(log.fileno()).st_size
                hole = size > 0 and os.lseek(log.fileno(), 0, os.SEEK_HOLE) < size
        except OSError:
            return True
        return hole or bool(head and int.from_bytes(head, 'big') not in _MAGIC)

    def _lacks(self) -> bool:
        """Tell whether pages of the log are missing that were not written back."""
        if self._has_hole():
            return True
        # Another connection, which has read nothing yet. Looking for what is missing by writing
        # the log back would write a part of it.
        with closing(sqlite3.connect(self._real, isolation_level=None)) as db:
            try:
                found: str = db.execute('PRAGMA quick_check(1)').fetchone()[0]
            except sqlite3.Error:
                return True
        return found != 'ok'

    def _save(self) -> None:
        database, log, index = self._files
        if _identify(self._real) != database:
            # It was moved or removed without its log, which is not to be taken for that of what
            # lies there now
            self._db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
            self._remove(log, index)
        elif not _size(self._real):
            self._remove(log, index)  # somebody may be filling the database with another one
        elif _identify(self._log) != log:
            if not _size(self._log):  # nobody has begun another one: SQLite still has ours
                self._db.execute('PRAGMA wal_checkpoint(TRUNCATE)')
        elif self._cut and _identify(self._index) == index and self._lacks():
            os.truncate(self._log, 0)
            os.unlink(self._index)  # which tells the others

    def _remove(self, log: _File | None, index: _File | None) -> None:
        for path, file in ((self._log, log), (self._index, index)):
            if _identify(path) == file:
                os.unlink(path)

    def _close(self) -> None:
        """Close the connection without writing the log back or removing it.

        The last connection that closes a database does both, by name, and would hit the files of
        those who have begun anew. A lock that is set here makes it believe that others are left.
        """
        lock = -1
        path = _descriptors().get(self._files[0])
        with suppress(OSError, AttributeError):
            if path is not None:
                lock = os.open(path, os.O_RDONLY)
                region = struct.pack(
                    'hhqqi4x', fcntl.F_RDLCK, os.SEEK_SET, _LOCKED, _LOCKED_SIZE, 0
                )
                fcntl.fcntl(lock, fcntl.F_OFD_SETLK, region)
        try:
            self._db.close()
        finally:
            if lock >= 0:
                os.close(lock)


def _identify(path: str) -> _File | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _descriptors() -> dict[_File | None, str]:
    """Return the descriptors of this process by their files; none where that is not told."""
    try:
        paths = [f'{_DESCRIPTORS}/{name}' for name in os.listdir(_DESCRIPTORS)]
    except OSError:
        return {}
    return {_identify(path): path for path in paths}
