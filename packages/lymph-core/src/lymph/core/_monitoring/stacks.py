"""The stacks of native threads and of waiting greenlets, in the form of `faulthandler`."""

from __future__ import annotations

import gc
import os
import sys
from collections import Counter
from collections.abc import Iterator
from types import FrameType

from greenlet import greenlet

__all__ = ['frames_of', 'greenlet_stacks', 'thread_stacks']

#: Stacks that differ, and innermost frames of each, that are shown.
_MOST_STACKS = 100
_MOST_FRAMES = 30


def greenlet_stacks() -> str:
    """Return the stacks of all greenlets that wait.

    Equal stacks are shown once, the most frequent first. The greenlets that run are not among them:
    they are what their threads do. Looks at all objects of the process. Call it in the thread whose
    greenlets are looked at: those of others may go on meanwhile.
    """
    found = Counter(_stacks())
    lines = [f'Waiting greenlets of process {os.getpid()}: {found.total()}']
    for (kind, *frames), count in found.most_common(_MOST_STACKS):
        lines.append(f'{count} x {kind} (most recent call first):')
        lines.extend(f'  {frame}' for frame in frames)
    if len(found) > _MOST_STACKS:
        lines.append(f'and {len(found) - _MOST_STACKS} other stacks')
    return '\n'.join(lines)


def thread_stacks(loop_thread: int | None = None) -> str:
    """Return the stacks of all native threads; `loop_thread` is the id of the one with the loop."""
    threads = sys._current_frames()  # noqa: SLF001 - the documented way
    lines = [f'Threads of process {os.getpid()}: {len(threads)}']
    for number, frame in list(threads.items())[:_MOST_STACKS]:
        which = ', which has the loop' if number == loop_thread else ''
        lines.append(f'Thread {number:#018x}{which} (most recent call first):')
        lines.extend(f'  {each}' for each in frames_of(frame))
    return '\n'.join(lines)


def frames_of(frame: FrameType | None) -> Iterator[str]:
    """Yield a line for each frame, the innermost first, at most 30."""
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return
        code = frame.f_code
        yield f'File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}'
        frame = frame.f_back
    if frame is not None:
        yield '...'


def _stacks() -> Iterator[tuple[str, ...]]:
    for found in gc.get_objects():
        if issubclass(type(found), greenlet) and found.gr_frame is not None:
            yield (type(found).__name__, *frames_of(found.gr_frame))
