"""What a prompt needs: a history, completion, and a loop that goes on while somebody types."""

from __future__ import annotations

import contextlib
import ctypes
import os
import readline
import rlcompleter
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import gevent
import gevent.select
from gevent.monkey import get_original

from lymph.config.exceptions import ConfigurationError
from lymph.core._system.state import state_directory

__all__ = ['history', 'history_file', 'interrupts_raised', 'read_line']

_LINES = 10_000  # of history
_POLL = 0.1  # seconds between two looks whether Ctrl-C was pressed
_SOON = 0.02  # seconds until readline waits again


@contextmanager
def history(complete: Callable[[str, int], str | None] | Any) -> Iterator[None]:
    """Keep a history from one time to the next, and complete names with the Tab key.

    `complete` is a function for readline, or the names that there are.
    """
    path = history_file('shell_history')
    readline.set_history_length(_LINES)
    if path is not None:
        with contextlib.suppress(OSError):
            readline.read_history_file(path)
    readline.set_completer(
        complete if callable(complete) else rlcompleter.Completer(complete).complete
    )
    readline.parse_and_bind('tab: complete')
    try:
        yield
    finally:
        readline.set_completer(None)
        if path is not None:
            with contextlib.suppress(OSError):
                readline.write_history_file(path)


def history_file(name: str) -> str | None:
    """Return the path of a file for a history, which this user alone reads; None without one."""
    try:
        path = state_directory() / name
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except (ConfigurationError, OSError):
        return None  # a prompt is worth more than its history
    return str(path)


@contextmanager
def interrupts_raised() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt in the `with` block, wherever it runs or waits.

    Python's own handler raises it in whichever greenlet is running, or in the loop itself.
    """
    caller = gevent.getcurrent()

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        if gevent.getcurrent() is caller:
            raise KeyboardInterrupt
        gevent.kill(caller, KeyboardInterrupt)

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def read_line(prompt: str) -> str:
    """Return a line that is typed, while gevent's loop turns; raises EOFError, KeyboardInterrupt.

    readline calls a function of C's again and again until there is input, which is where the loop
    turns. It also calls it right after a signal, before it looks whether to give up: so at Ctrl-C
    the function is taken away, and the signal given once more.
    """
    pressed: list[int] = []
    hook = ctypes.c_void_p.in_dll(ctypes.pythonapi, 'PyOS_InputHook')

    def note(number: int, frame: FrameType | None) -> None:
        if hook.value is None:
            raise KeyboardInterrupt
        pressed.append(number)

    def turn() -> int:
        with contextlib.suppress(OSError, ValueError):  # a terminal that has gone
            while not pressed and not gevent.select.select([0], [], [], _POLL)[0]:
                pass
        if pressed and hook.value is not None:
            hook.value = None
            get_original('_thread', 'start_new_thread')(_press_again, ())
        return 0

    function = ctypes.CFUNCTYPE(ctypes.c_int)(turn)
    before = signal.signal(signal.SIGINT, note)
    hook.value = ctypes.cast(function, ctypes.c_void_p).value
    try:
        return input(prompt)
    finally:
        hook.value = None
        signal.signal(signal.SIGINT, before)


def _press_again() -> None:
    get_original('time', 'sleep')(_SOON)
    os.kill(os.getpid(), signal.SIGINT)
