"""Opening what lies in the registry's directories, whatever it is.

Only regular files are opened: opening a pipe waits for its other end, opening a device may do
anything, and a symbolic link leads elsewhere or in a circle.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ['Unfit', 'is_passing', 'open_regular', 'signature']

# Should it be replaced by a link or a pipe after it was looked at, opening it still does not wait
_HOW = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
_PASSING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_KINDS = {
    stat.S_IFLNK: 'a symbolic link',
    stat.S_IFDIR: 'a directory',
    stat.S_IFIFO: 'a named pipe',
    stat.S_IFSOCK: 'a socket',
}


class Unfit(Exception):
    """There is something, and it is not a file that can be read; the text says why."""


def open_regular(path: Path) -> tuple[int, os.stat_result]:
    """Open a regular file for reading; returns its descriptor and what is known of it.

    Raises FileNotFoundError, Unfit, and OSError for what passes, such as too many open files.
    """
    try:
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            descriptor = os.open(path, _HOW)
            found = os.fstat(descriptor)
            if stat.S_ISREG(found.st_mode):
                return descriptor, found
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except OSError as error:
        if is_passing(error):
            raise
        raise Unfit(str(error.strerror)) from error
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), 'a device')
    raise Unfit(f'expected a file, found {kind}')


def is_passing(error: OSError) -> bool:
    """Tell whether an error concerns this process at this moment, not the file."""
    return error.errno in _PASSING


def signature(path: Path) -> tuple[int, ...] | None:
    """Return what changes whenever a file, its kind or its permissions do; None without it."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns
