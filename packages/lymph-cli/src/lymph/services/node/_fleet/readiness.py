"""The node's end of `LYMPH_READY_FD`: a pipe through which a process says that it serves.

The process inherits the end to write to. It writes ``READY=1`` and closes it; one that ends before
it serves, and one that knows nothing of this, closes it without a word. Before that it may write
``OPERATIONS=`` and the address of its operations port, which `LYMPH_OPERATIONS` asks it to open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import gevent
from gevent.os import make_nonblocking, nb_read

__all__ = ['OPERATIONS_VARIABLE', 'VARIABLE', 'ReadyPipe']

VARIABLE = 'LYMPH_READY_FD'
OPERATIONS_VARIABLE = 'LYMPH_OPERATIONS'

_LINE = b'READY=1'
_OPERATIONS = re.compile(rb'OPERATIONS=(http://[!-~]{1,100})')
_LONGEST = 1024  # bytes that are read; a process that writes more means something else


class ReadyPipe:
    """A pipe whose `writing` end a process inherits.

    `ready()` is called once, when the process has said so. One that cannot be expected to say
    anything (`silent`), or closes its end without a word, counts as ready when it has lived for
    `after` seconds from then on.
    """

    def __init__(self, ready: Callable[[], object], after: float, silent: bool) -> None:
        self._reading, self.writing = os.pipe()
        self._ready = ready
        self._after = after
        self._silent = silent
        #: the address of the operations port that the process has told
        self.operations: str | None = None
        self._reader: gevent.Greenlet[[], None] | None = None

    def listen(self) -> None:
        """Begin to read, when the process has inherited its end."""
        os.close(self.writing)
        self._reader = gevent.spawn(self._await)

    def close(self) -> None:
        """Stop reading. Idempotent."""
        if self._reader is not None:
            self._reader.kill()
        reading, self._reading = self._reading, -1
        if reading >= 0:
            os.close(reading)

    def cancel(self) -> None:
        """Close both ends, as there is no process."""
        os.close(self.writing)
        self.close()

    def _await(self) -> None:
        told = gevent.spawn(self._says_so)
        try:
            told.join(self._after if self._silent else None)
            if told.ready() and not told.value:
                gevent.sleep(self._after)
        finally:
            told.kill()
        self._ready()

    def _says_so(self) -> bool:
        """Read until the process has said that it is ready, or cannot any more."""
        make_nonblocking(self._reading)
        said = b''
        while len(said) < _LONGEST:
            data = nb_read(self._reading, _LONGEST)
            if not data:
                return False
            said += data
            lines = said.split(b'\n')
            for told in map(_OPERATIONS.fullmatch, lines[:-1]):
                if told is not None:
                    self.operations = told[1].decode()
            if _LINE in lines:
                return True
        return False
