"""What lies in a state directory: facts about each file, gathered without changing anything.

::

    registry/<namespace>/<service>/<key>~<random>.json    locked while its owner lives
    registry/.doorbells/<name>.<random>                   a socket that its owner listens to
    events/events.sqlite, -wal, -shm, -journal, -turn     shared by all
    events/owners/<random>                                locked while its owner lives
    events/bells/<name>.<random>                          a socket that its owner listens to
    backdoor/<identity>                                   locked while its owner lives
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gevent.monkey import get_original

__all__ = ['StateFile', 'read_state']

Kind = Literal['directory', 'file', 'socket', 'other']

_MOST = 20_000  # files that are looked at
#: Seconds after which whoever has made a file has also locked it, or listens to it.
_SETTLED = 10.0
_LOCKED = re.compile(
    r'registry/[^/]+/[^/]+/([^/]+~[0-9a-f]{16}\.json|\.new-[^/]+)|events/owners/[0-9a-f]+'
    r'|backdoor/[^/]+'
)
_SOCKET = re.compile(r'(registry/\.doorbells|events/bells)/[0-9a-f]+\.[0-9a-f]+')
_SHARED = re.compile(r'events/events\.sqlite(-wal|-shm|-journal|-turn)?')
_FOLDER = re.compile(r'|registry(/[^/]+){0,2}|events(/owners|/bells)?|backdoor')
_OURS = re.compile(r'(registry|events|backdoor)(/.*)?')

_Socket: type[socket.socket] = get_original('socket', 'socket')


@dataclass(frozen=True)
class StateFile:
    """What is known of a file or directory; `path` is that below the state directory.

    `known` tells that lymph keeps a file there, `dead` that whoever made it is gone.
    """

    path: str
    kind: Kind
    uid: int
    mode: int
    known: bool
    dead: bool = False


def read_state(base: Path) -> list[StateFile]:
    """Return what there is of lymph's in the directory `base`; may block.

    What cannot be read is left out, and so is what others keep beside it.
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
    # either way: the wall clock may have been set since
    if abs(time.time() - found.st_mtime) > _SETTLED or name.endswith('.json'):
        if kind == 'file' and _LOCKED.fullmatch(name):
            dead = _is_free(path)
        elif kind == 'socket' and _SOCKET.fullmatch(name):
            dead = _is_deaf(path)
    is_known = known is not None and known.fullmatch(name) is not None
    return StateFile(name, kind, found.st_uid, stat.S_IMODE(found.st_mode), is_known, dead)


def _kind(mode: int) -> Kind:
    if stat.S_ISDIR(mode):
        return 'directory'
    if stat.S_ISREG(mode):
        return 'file'
    return 'socket' if stat.S_ISSOCK(mode) else 'other'


def _is_free(path: Path) -> bool:
    """Tell whether nobody holds the lock of a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        # shared, so that whoever looks at the same time does not take us for the owner
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def _is_deaf(path: Path) -> bool:
    """Tell whether nobody listens to a socket; nothing is sent."""
    with _Socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with suppress(OSError):
            descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                sender.connect(f'/proc/self/fd/{descriptor}/{path.name}')
            except OSError as error:
                return error.errno == errno.ECONNREFUSED
            finally:
                os.close(descriptor)
    return False
