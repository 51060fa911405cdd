"""Notifies the parent process through an inherited descriptor that this process serves.

``LYMPH_READY_FD`` is the number of an inherited descriptor: a pipe, a socket or a file, 3 or more.
``READY=1\\n`` is written to it once, then it is closed. A process that ends before it serves closes
it without a line. With ``LYMPH_OPERATIONS`` in the environment, ``OPERATIONS=http://HOST:PORT\\n``
is written before, as soon as the operations port is open.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import stat

from gevent.monkey import get_original

from lymph.cli.output import say
from lymph.config.printable import quoted

__all__ = ['VARIABLE', 'Readiness']

VARIABLE = 'LYMPH_READY_FD'

_LINE = b'READY=1\n'
_FIRST = 3  # 0, 1 and 2 are the standard streams
_KINDS = (stat.S_ISFIFO, stat.S_ISSOCK, stat.S_ISREG, stat.S_ISCHR)
_poll = get_original('select', 'poll')


class Readiness:
    """Writes the line, if there is a descriptor to write it to."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor

    @classmethod
    def from_environ(cls) -> Readiness:
        """Take the variable out of the environment, so that no child gets it or its descriptor.

        A value that names no such descriptor is one line on stderr, and nobody is told.
        """
        value = os.environ.pop(VARIABLE, '')
        if not value:
            return cls()
        try:
            descriptor = _checked(value)
            os.set_inheritable(descriptor, False)
        except (ValueError, OSError) as error:
            say(f'{VARIABLE}: {getattr(error, "strerror", None) or error}; nobody is told')
            return cls()
        return cls(descriptor)

    def tell(self) -> None:
        """Write that this process serves, and close the descriptor; never waits and never raises.

        What cannot be written is one line on stderr.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            _write(descriptor, _LINE)
            with contextlib.suppress(OSError):  # what it was opened for may fail as late as now
                os.close(descriptor)

    def tell_operations(self, address: str) -> None:
        """Write where the operations port is, before `tell`; the same holds for it."""
        if self._descriptor is not None:
            _write(self._descriptor, f'OPERATIONS={address}\n'.encode())


def _write(descriptor: int, line: bytes) -> None:
    try:
        # Not by O_NONBLOCK, which others who have the same pipe open would get, too.
        waiting = _poll()
        waiting.register(descriptor, select.POLLOUT)
        if not waiting.poll(0):
            raise BlockingIOError('it is full')
        os.write(descriptor, line)
    except OSError as error:
        say(f'{VARIABLE}: nobody could be told: {error.strerror or error}')


def _checked(value: str) -> int:
    """Return the descriptor that a value names; raises ValueError."""
    expected = f'expected the number of an inherited descriptor, {_FIRST} or more'
    if re.fullmatch('[0-9]{1,7}', value) is None or int(value) < _FIRST:
        raise ValueError(f'{expected}, found {quoted(value)}')
    descriptor = int(value)
    try:
        # What this process has opened by itself closes at exec, what it has inherited does not.
        inherited = os.get_inheritable(descriptor)
    except OSError:
        inherited = False
    if not inherited:
        raise ValueError(f'{expected}; {descriptor} is none, hand it on to this process')
    writable = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    mode = os.fstat(descriptor).st_mode
    if not writable or not any(is_one(mode) for is_one in _KINDS):
        raise ValueError(f'expected a pipe, socket or file to write to; {descriptor} is none')
    return descriptor
