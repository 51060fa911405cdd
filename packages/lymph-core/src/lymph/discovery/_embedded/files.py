"""Opening what lies in the registry's directories, whatever it is.

Only regular files are opened. Opening a pipe waits for its other end, opening a device may do
anything, and a symbolic link leads elsewhere or in a circle.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

__all__ = ['NotReadable', 'is_about_process', 'is_missing', 'open_regular', 'signature']

# Should the file be replaced by a link or a pipe after it was checked, opening it does not wait.
_HOW = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW
_ABOUT_PROCESS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_MISSING = (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)
_KINDS = {
    stat.S_IFLNK: 'a symbolic link',
    stat.S_IFDIR: 'a directory',
    stat.S_IFIFO: 'a named pipe',
    stat.S_IFSOCK: 'a socket',
}


class NotReadable(Exception):
    """What is at a path is not a file, or cannot be read; the text says why."""


def open_regular(path: Path) -> tuple[int, os.stat_result]:
    """Open a regular file for reading; return its descriptor and its status.

    Raises FileNotFoundError, NotReadable, and OSError for a lack of this process, such as too many
    open files.
    """
    try:
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            descriptor = os.open(path, _HOW)
            found = os.fstat(descriptor)
            # once more: it may have been replaced before it was opened
            if stat.S_ISREG(found.st_mode):
                return descriptor, found
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError) as error:
        # NotADirectoryError means the same to callers: there is no such file
        raise FileNotFoundError(error.errno, error.strerror, str(path)) from error
    except OSError as error:
        if is_about_process(error):
            raise
        raise NotReadable(str(error.strerror)) from error
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), 'a device')
    raise NotReadable(f'expected a file, found {kind}')


def is_about_process(error: OSError) -> bool:
    """Tell whether this process lacks something at the moment: the file is not to blame."""
    return error.errno in _ABOUT_PROCESS


def is_missing(error: OSError) -> bool:
    """Tell whether an error says that there is no such directory, and cannot be one."""
    return error.errno in _MISSING


def signature(path: Path) -> tuple[int, ...] | None:
    """Return values that change with a file, its kind or its permissions; None without a file."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns
