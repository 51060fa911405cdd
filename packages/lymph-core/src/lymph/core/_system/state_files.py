"""The layout of a state directory, and facts about each file in it. Changes nothing.

::

    registry/<namespace>/<service>/<key>~<random>.json    lock file of an instance
    registry/.doorbells/<hash>.<random>                   wake-up socket of a process
    events/events.sqlite, -wal, -shm, -journal, -turn     shared by all processes
    events/owners/<random>                                lock file of a process
    events/bells/<hash>.<random>                          wake-up socket of a process
    backdoor/<identity>                                   lock file of a container
    node/<identity>                                       lock file of a node

The names of incomplete lock files begin with ``.new-``.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lymph.core._system.clocks import file_age
from lymph.core._system.lock_files import TEMPORARY, owner_state
from lymph.core._system.wakeups import is_deaf

__all__ = ['StateFile', 'read_state']

Kind = Literal['directory', 'file', 'socket', 'other']

_MOST = 20_000  # files that are examined
#: Seconds within which a process that makes a file also locks it, or binds its socket.
_SETTLED = 10.0
_TEMPORARY = f'{re.escape(TEMPORARY)}[0-9a-f]+'
_LOCKED = re.compile(
    rf'registry/[^/]+/[^/]+/([^/]+~[0-9a-f]{{16}}\.json|{_TEMPORARY})'
    rf'|events/owners/([0-9a-f]+|{_TEMPORARY})|(backdoor|node)/[^/]+'
)
_SOCKET = re.compile(r'(registry/\.doorbells|events/bells)/[0-9a-f]+\.[0-9a-f]+')
_SHARED = re.compile(r'events/events\.sqlite(-wal|-shm|-journal|-turn)?')
_FOLDER = re.compile(r'|registry(/[^/]+){0,2}|events(/owners|/bells)?|backdoor|node')
_OURS = re.compile(r'(registry|events|backdoor|node)(/.*)?')


@dataclass(frozen=True)
class StateFile:
    """A file or directory: its `path` below the state directory, owner and mode.

    `known` tells whether this version of lymph makes such files there, `dead` whether the process
    that made this one has ended.
    """

    path: str
    kind: Kind
    uid: int
    mode: int
    known: bool
    dead: bool = False


def read_state(base: Path) -> list[StateFile]:
    """Return lymph's files in the directory `base`, at most 20,000. Blocks the native thread.

    Files that cannot be read, and those outside lymph's directories, are left out.
    """
    found = []
    for path, name in _walk(base):
        file = _read(path, name)
        if file is not None:
            found.append(file)
        if len(found) >= _MOST:
            break
    return found


def _walk(base: Path) -> Iterator[tuple[Path, str]]:
    yield base, ''
    for folder, folders, files in os.walk(base):
        at = Path(folder)
        for each in (*folders, *files):
            name = (at / each).relative_to(base).as_posix()
            if _OURS.fullmatch(name):
                yield at / each, name
        folders[:] = [
            each for each in folders if _FOLDER.fullmatch((at / each).relative_to(base).as_posix())
        ]


def _read(path: Path, name: str) -> StateFile | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    kind = _kind(found.st_mode)
    known = {
        'directory': _FOLDER,
        'file': re.compile(f'{_LOCKED.pattern}|{_SHARED.pattern}'),
        'socket': _SOCKET,
    }.get(kind)
    dead = False
    if file_age(found.st_mtime) > _SETTLED or name.endswith('.json'):
        if kind == 'file' and _LOCKED.fullmatch(name):
            dead = owner_state(path) == 'dead'
        elif kind == 'socket' and _SOCKET.fullmatch(name):
            dead = is_deaf(path)
    is_known = known is not None and known.fullmatch(name) is not None
    return StateFile(name, kind, found.st_uid, stat.S_IMODE(found.st_mode), is_known, dead)


def _kind(mode: int) -> Kind:
    if stat.S_ISDIR(mode):
        return 'directory'
    if stat.S_ISREG(mode):
        return 'file'
    return 'socket' if stat.S_ISSOCK(mode) else 'other'
