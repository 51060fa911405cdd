"""The standard streams of a process that runs `lymph`, and what happens when stdout takes no more.

Nothing but the standard library is imported here: this comes before all else.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import sys
from typing import TextIO

__all__ = ['drop_stderr_if_it_fails', 'let_services_print', 'open_streams', 'stdout_error']


def open_streams() -> None:
    """Prepare stdin, stdout and stderr for whatever is printed, also by other people's code.

    A line leaves when it is complete, wherever stdout goes: a service prints into a file or a pipe
    as it does on a terminal. Characters that the locale lacks are escaped.

    A closed descriptor is opened on /dev/null, since otherwise the next file or socket would get
    its number and whatever is printed. A closed stdout refuses what is written; a closed stderr
    forgets it, because the error cannot be shown anywhere.
    """
    for descriptor, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        if not _is_open(descriptor):
            os.set_inheritable(os.open(os.devnull, mode), True)  # the lowest number that is free
    # Python has None where a stream was closed when it started.
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = _buffered(sys.stdout or os.fdopen(1, 'w', closefd=False))
    sys.stderr = sys.stderr or os.fdopen(2, 'w', closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors='backslashreplace', line_buffering=True)


def let_services_print() -> None:
    """Make a stdout that was closed swallow what is printed: no handler is to fail for a print."""
    with contextlib.suppress(OSError, ValueError):
        descriptor = sys.stdout.fileno()
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            _turn_off(sys.stdout)


def stdout_error() -> OSError | None:
    """Return what keeps stdout from being written, or None if nothing does.

    What cannot be written is dropped then, and so is all that follows: Python would complain about
    it when it exits, with exit code 120.
    """
    try:
        sys.stdout.flush()
    except ValueError:  # somebody closed the stream itself
        return None
    except OSError as error:
        _turn_off(sys.stdout)
        return error
    return None


def drop_stderr_if_it_fails() -> None:
    """Drop what stderr does not take, for the same reason."""
    try:
        sys.stderr.flush()
    except ValueError:
        return
    except OSError:
        _turn_off(sys.stderr)


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _buffered(stream: TextIO) -> TextIO:
    """Return a stream that keeps what it could not write, so that `stdout_error` finds the error.

    With PYTHONUNBUFFERED, Python's own forgets it.
    """
    raw = isinstance(stream, io.TextIOWrapper) and isinstance(stream.buffer, io.RawIOBase)
    if not raw:
        return stream
    return os.fdopen(stream.fileno(), 'w', encoding=stream.encoding, closefd=False)


def _turn_off(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, stream.fileno())
    finally:
        os.close(nowhere)
