"""What signals do from the first moment on, before anything else is imported.

================= ================================================================================
SIGTERM, SIGINT,  end the process at once, with exit code 128 + number. What runs until it is told
SIGHUP            to stop, and what asks others, hears them in a way of its own (`running.stopping`)
SIGUSR1           writes the stacks of all threads to stderr, and what `show_with_stacks` adds
SIGUSR2           does nothing
================= ================================================================================

A signal that the process was started to ignore (`nohup`, a job in the background) stays ignored.
As process 1 of a container, Linux takes no signal to a process that has no handler for it. And an
exception at any moment, as Python's handler of SIGINT raises it, can be lost in a callback or leave
an import half done.

Nothing but the standard library is imported here.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
from collections.abc import Callable
from types import FrameType

__all__ = ['STOPS', 'handle_signals', 'raise_interrupts', 'show_with_stacks']

#: The signals that ask a process to stop.
STOPS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def handle_signals() -> None:
    """Install the handlers; in another thread than the main one nothing happens."""
    with contextlib.suppress(ValueError):  # it takes the main thread
        for number in STOPS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _end)
        # A handler, since what is ignored stays ignored in the programs that this one starts.
        signal.signal(signal.SIGUSR2, _do_nothing)
        signal.signal(signal.SIGUSR1, _Stacks())
        # Threads are written without Python's help: it works in a call that never returns, too.
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True, chain=True)


def show_with_stacks(show: Callable[[], None]) -> None:
    """Call `show` after SIGUSR1 has written the stacks of threads, wherever Python is then."""
    handler = signal.getsignal(signal.SIGUSR1)
    if isinstance(handler, _Stacks):
        handler.show = show


def raise_interrupts() -> None:
    """Let SIGINT raise KeyboardInterrupt, as commands of others expect it."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class _Stacks:
    """The handler of SIGUSR1."""

    def __init__(self) -> None:
        self.show: Callable[[], None] = lambda: None

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        self.show()


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    pass


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)
