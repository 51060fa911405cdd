"""The file with the id of a process, for scripts and supervisors that want one.

The process holds a lock on its file for as long as it lives. So a file that a killed process has
left is told from that of a living one, whichever process has its number by now.

This is not the rule of `lymph.core._system.lock_files`: the user chooses the path, which is used
again and again, on any file system. The lock is a record lock (fcntl(2)), which belongs to the
process and not to its children; where the file system has no locks, there is none.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from lymph.cli.outcomes import OperationFailed
from lymph.config.printable import quoted
from lymph.core._system.lock_files import is_at

__all__ = ['PidFile']

_LONGEST = 64  # bytes of a file that is one
_SHOWN = 1000  # characters of a path
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)  # where the file system has none
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_TRIES = 10  # others may write the file, or take it away, while it is looked at


class PidFile:
    """The file of this process at `path`, which is written by `write` and removed by `remove`.

    Raises OperationFailed for a path that cannot be used, or if it is that of a living process.
    """

    def __init__(self, path: str) -> None:
        self._given = path
        self._path = os.path.realpath(path)
        self._descriptor = -1
        self._process = os.getpid()
        folder = os.path.dirname(self._path)
        try:
            if not os.path.isdir(folder):
                raise self._unusable(f'there is no folder {quoted(folder, _SHOWN)}')
            if not os.access(folder, os.W_OK | os.X_OK):
                raise self._unusable(f'this user may not write to {quoted(folder, _SHOWN)}')
            with self._stale():
                pass
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error

    def write(self) -> None:
        """Write the file, all at once; a stale one is replaced. Raises OperationFailed."""
        new = f'{self._path}.{os.getpid()}'
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(new)
            self._descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                os.write(self._descriptor, b'%d\n' % os.getpid())
                _lock(self._descriptor)
                self._put(new)
            finally:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error

    def remove(self) -> None:
        """Remove the file if it is still that of this process, not its parent; never raises."""
        descriptor, self._descriptor = self._descriptor, -1
        with contextlib.suppress(OSError):
            if self._process == os.getpid() and is_at(descriptor, self._path):
                os.unlink(self._path)
        with contextlib.suppress(OSError):
            os.close(descriptor)

    def _put(self, new: str) -> None:
        for _ in range(_TRIES):
            with self._stale() as there:
                if there:
                    os.replace(new, self._path)
                    return
                try:
                    os.link(new, self._path)  # unlike a rename, it fails if another was faster
                    return
                except FileExistsError:
                    continue
                except OSError as error:
                    if error.errno not in _NO_LINKS:
                        raise
                    os.replace(new, self._path)
                    return
        raise self._unusable('others write it, too')

    @contextmanager
    def _stale(self) -> Iterator[bool]:
        """Hold a lock on the file of a dead process, if there is one; yields whether there is.

        Raises OperationFailed if it is that of a living process, or no such file.
        """
        while True:
            try:
                # O_NONBLOCK: to open a device, such as a serial line, may block.
                descriptor = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
            except FileNotFoundError:
                yield False
                return
            try:
                regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
                # Only a regular file is read, since a device may block; `-` is no pid.
                content = os.read(descriptor, _LONGEST + 1) if regular else b'-'
                if re.fullmatch(rb'\s*[0-9]*\s*', content) is None or len(content) > _LONGEST:
                    raise self._unusable('there is a file that is no pid file; name another one')
                if not _lock(descriptor):
                    raise self._unusable(
                        f'it is that of process {content.decode().strip()}, which runs; stop that, '
                        'or name another file'
                    )
                # The file may have been replaced between `open` and `lock`. Then the lock is on the
                # old one, and the new one has to be looked at.
                if is_at(descriptor, self._path):
                    yield True
                    return
            finally:
                os.close(descriptor)

    def _unusable(self, reason: str) -> OperationFailed:
        return OperationFailed(f'--pidfile={quoted(self._given, _SHOWN)}: {reason}')


def _lock(descriptor: int) -> bool:
    """Lock a file, for all who look where it can be locked; returns False if another has it."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN):
            return False
        if error.errno not in _NO_LOCKS:
            raise
    return True
