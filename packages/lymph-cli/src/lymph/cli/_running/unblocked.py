"""Standard streams that never hold up a service, however slowly somebody reads them.

A write to a pipe or a terminal blocks while nobody reads (a paused `less`, Ctrl-S, a stopped log
collector), and would block all greenlets. So output that does not fit is buffered, up to `_KEPT`
bytes, and written when there is room; further lines are dropped, and a line says how many. After
the reader has closed a stream, everything written to it is discarded.

Files are not replaced: a write to a file succeeds at once, or fails because the disk is full.
"""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import select
import stat
import sys
import time
from collections import deque
from typing import Any, TextIO

import gevent
from gevent.monkey import get_original

__all__ = ['UnblockedStream', 'unblock_streams']

_KEPT = 1024 * 1024
_FAREWELL = 1.0  # seconds that the process waits at exit to write what is buffered
_WRITABLE = 2  # as gevent's loop calls it

# The type in C: with older versions of gevent the other one fails when the interpreter finalizes.
_Lock: Any = get_original('_thread', 'RLock')
_get_ident: Any = get_original('threading', 'get_ident')
_poll: Any = get_original('select', 'poll')


def unblock_streams() -> None:
    """Replace stdout and stderr of this process where a write to them may block."""
    for name in ('stdout', 'stderr'):
        stream = getattr(sys, name)
        with contextlib.suppress(OSError, ValueError):  # closed, or not of a descriptor
            mode = os.fstat(stream.fileno()).st_mode
            if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stream.isatty():
                unblocked = UnblockedStream(stream)
                setattr(sys, name, unblocked)
                atexit.register(unblocked.finish, _FAREWELL)


class UnblockedStream(io.TextIOBase):
    """Writes to the descriptor of `stream`, and buffers what does not fit.

    Create it in the thread whose event loop is to write the buffer.
    """

    #: its lock is a native one, and held only for moments
    for_any_thread = True

    def __init__(self, stream: TextIO) -> None:
        stream.flush()
        self._stream = stream
        self._number = stream.fileno()
        self._descriptor, self._never_waits = _opened_again(self._number)
        self._partial = ''  # a line leaves when it is complete
        self._hub = gevent.get_hub()
        self._owner = (os.getpid(), _get_ident())
        self._lock = _Lock()
        self._kept: deque[bytes] = deque()
        self._size = 0
        self._lost = 0
        self._gone = False
        self._watcher: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a plain attribute there
        """The encoding of the stream."""
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """The error handler of the encoding (`strict`, `backslashreplace`, ...)."""
        return self._stream.errors

    def fileno(self) -> int:
        """Return the descriptor of the stream."""
        return self._number

    def isatty(self) -> bool:
        """Tell whether the stream is a terminal; raises ValueError if it is closed."""
        return self._stream.isatty()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Write whole lines, or buffer them until there is room; return the length of `text`.

        Never blocks, and never raises OSError.
        """
        with self._lock:
            lines, newline, self._partial = f'{self._partial}{text}'.rpartition('\n')
            self._write(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Write the incomplete line."""
        with self._lock:
            text, self._partial = self._partial, ''
            self._write(text)

    def finish(self, timeout: float) -> None:
        """Write the buffer, blocking for at most `timeout` seconds."""
        deadline = time.monotonic() + timeout
        self.flush()
        with self._lock:
            self._unwatch()
            while self._kept and time.monotonic() < deadline:
                self._has_room(deadline - time.monotonic())
                self._write_kept()

    def _write(self, text: str) -> None:
        data = text.encode(self.encoding or 'utf-8', 'backslashreplace')
        here = self._owner[0] == os.getpid()
        if self._kept and here:
            self._keep(data)
            return
        rest = self._put(data)
        if rest and here:
            self._keep(rest)
            self._watch()

    def _keep(self, data: bytes) -> None:
        if self._size + len(data) > _KEPT:
            self._lost += data.count(b'\n')
        else:
            self._kept.append(data)
            self._size += len(data)

    def _put(self, data: bytes) -> bytes:
        """Write what fits, and return the rest."""
        while data and not self._gone:
            if not (self._never_waits or self._has_room(0)):
                return data
            try:
                # poll() reports a pipe as writable only when PIPE_BUF bytes fit (pipe(7)).
                part = data if self._never_waits else data[: select.PIPE_BUF]
                written = os.write(self._descriptor, part)
            except BlockingIOError:
                return data
            except OSError:
                self._gone = True
                break
            data = data[written:]
        return b''

    def _has_room(self, timeout: float) -> bool:
        waiting = _poll()
        waiting.register(self._descriptor, select.POLLOUT)
        return bool(waiting.poll(max(0, timeout) * 1000))

    def _write_kept(self) -> None:
        while self._kept:
            data = self._kept.popleft()
            rest = self._put(data)
            self._size -= len(data) - len(rest)
            if rest:
                self._kept.appendleft(rest)
                return
            if not self._kept and self._lost:
                lost, self._lost = self._lost, 0
                self._keep(f'lymph: {lost} lines are missing here: nobody read\n'.encode())

    # The loop writes when there is room.

    def _watch(self) -> None:
        if self._owner == (os.getpid(), _get_ident()):
            self._start_watching()
        else:
            self._hub.loop.run_callback_threadsafe(self._start_watching)

    def _start_watching(self) -> None:
        if self._watcher is None:
            self._watcher = self._hub.loop.io(self._descriptor, _WRITABLE, ref=False)
            self._watcher.start(self._on_room)

    def _unwatch(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()
            self._watcher.close()
            self._watcher = None

    def _on_room(self) -> None:
        with self._lock:
            self._write_kept()
            if not self._kept:
                self._unwatch()


def _opened_again(descriptor: int) -> tuple[int, bool]:
    """Return a descriptor for the same pipe or terminal that never waits, and whether it does so.

    O_NONBLOCK of the descriptor itself would be that of all processes that have inherited it.
    """
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY
    try:
        return os.open(f'/proc/self/fd/{descriptor}', flags), True
    except OSError:  # a socket, another user's pipe, no /proc
        return descriptor, False
