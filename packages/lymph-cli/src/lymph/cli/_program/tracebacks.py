"""Tracebacks that show a user's own files, and not how lymph and Python came to call them."""

from __future__ import annotations

import functools
import os
import sys
import sysconfig
import traceback
from collections.abc import Iterator

__all__ = ['is_users_file', 'last_place', 'user_traceback']

#: Folders of installed distributions, wherever they are.
_INSTALLED = ('site-packages', 'dist-packages')


def is_users_file(file: str) -> bool:
    """Tell whether a file belongs neither to Python, nor to lymph, nor to what is installed."""
    return (
        os.path.isfile(file)
        and not set(file.split(os.sep)) & set(_INSTALLED)
        and not file.startswith(_folders())
    )


def last_place(error: BaseException) -> str | None:
    """Return `file:line` of the innermost of a user's frames, the file as seen from here."""
    files = [
        f'{_relative(frame.f_code.co_filename)}:{line}'
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_users_file(frame.f_code.co_filename)
    ]
    return files[-1] if files else None


def user_traceback(error: BaseException) -> str:
    """Return the traceback of an error and its causes without frames of other files.

    It is '' if there is nothing to see: no frame of a user's file, and no line of one that Python
    cannot read.
    """
    whole = traceback.TracebackException.from_exception(error)
    found = False
    for part in _parts(whole):
        users = [frame for frame in part.stack if is_users_file(frame.filename)]
        part.stack[:] = users
        found = found or bool(users) or is_users_file(getattr(part, 'filename', None) or '')
    return ''.join(whole.format()).rstrip('\n') if found else ''


def _parts(whole: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    seen: set[int] = set()
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        # groups have `exceptions` since Python 3.11
        others = (part.__cause__, part.__context__, *(getattr(part, 'exceptions', None) or ()))
        waiting += [each for each in others if each is not None]


@functools.cache
def _folders() -> tuple[str, ...]:
    """Return the folders of Python and of lymph, which several distributions fill."""
    folders = {sysconfig.get_path('stdlib'), sysconfig.get_path('platstdlib')}
    folders |= set(sys.modules['lymph'].__path__)
    folders |= {os.path.realpath(folder) for folder in folders}
    return tuple(f'{folder}{os.sep}' for folder in folders)


def _relative(file: str) -> str:
    try:
        relative = os.path.relpath(file)
    except FileNotFoundError:  # the current folder was deleted
        return file
    return file if relative.startswith(os.pardir) else relative
