"""The stacks of all greenlets, written to stderr for operators who wonder what a process does."""

from __future__ import annotations

import contextlib

from lymph.cli._program.signals import show_with_stacks
from lymph.cli._running.waking import wake_on_signals
from lymph.cli.output import say_at_once
from lymph.core._monitoring.stacks import greenlet_stacks

__all__ = ['show_greenlets']


def show_greenlets() -> None:
    """Make SIGUSR1 write the stacks of greenlets, too, also while all of them wait.

    The stacks of threads are written by `faulthandler`.
    """
    show_with_stacks(_show)
    wake_on_signals()


def _show() -> None:
    # In a signal handler: whatever runs now must go on as if nothing had happened.
    with contextlib.suppress(Exception):
        say_at_once(greenlet_stacks())
