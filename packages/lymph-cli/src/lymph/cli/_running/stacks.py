"""The stacks of all greenlets, written to stderr for operators who wonder what a process does."""

from __future__ import annotations

import contextlib
import gc
import os
from collections import Counter
from collections.abc import Iterator
from types import FrameType

from greenlet import greenlet

from lymph.cli._program.signals import show_with_stacks
from lymph.cli._running.waking import wake_on_signals
from lymph.cli.output import say_at_once

__all__ = ['greenlet_stacks', 'show_greenlets']

#: Stacks that differ, and innermost frames of each, that are shown.
_MOST_STACKS = 100
_MOST_FRAMES = 30


def show_greenlets() -> None:
    """Make SIGUSR1 write the stacks of greenlets, too, also while all of them wait."""
    show_with_stacks(_show)
    wake_on_signals()


def _show() -> None:
    # In a signal handler: whatever runs now must go on as if nothing had happened.
    with contextlib.suppress(Exception):
        say_at_once(greenlet_stacks())


def greenlet_stacks() -> str:
    """Return the stacks of all greenlets that wait, in the form of `faulthandler`.

    Equal stacks are shown once, the most frequent first. The greenlets that run are not among them:
    `faulthandler` shows these as what their threads do.
    """
    found = Counter(_stacks())
    lines = [f'Waiting greenlets of process {os.getpid()}: {found.total()}']
    for (kind, *frames), count in found.most_common(_MOST_STACKS):
        lines.append(f'{count} x {kind} (most recent call first):')
        lines.extend(f'  {frame}' for frame in frames)
    if len(found) > _MOST_STACKS:
        lines.append(f'and {len(found) - _MOST_STACKS} other stacks')
    return '\n'.join(lines)


def _stacks() -> Iterator[tuple[str, ...]]:
    for found in gc.get_objects():
        if issubclass(type(found), greenlet) and found.gr_frame is not None:
            yield (type(found).__name__, *_lines(found.gr_frame))


def _lines(frame: FrameType | None) -> Iterator[str]:
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return
        code = frame.f_code
        yield f'File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}'
        frame = frame.f_back
    if frame is not None:
        yield '...'
