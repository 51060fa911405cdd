"""The reader's side: what a directory of claimed files says, and who of the owners is dead.

Nothing here knows greenlets or logs, so it may run in a thread. What is dead is removed on the way.
The theory is in `claims`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lymph.core.processes import pid_namespace
from lymph.core.services import Connector, ServiceInstance
from lymph.discovery.embedded.claims import UNFINISHED
from lymph.discovery.names import unescape

__all__ = ['Entry', 'Foreign', 'Loaded', 'alive', 'encode', 'list_names', 'load', 'names_in_use']

_NAME = re.compile(r'.+~[0-9a-f]{16}\.json')
_HOW = os.O_RDONLY | os.O_NONBLOCK  # whatever it is, opening it does not wait
_SIZE = 64 * 1024  # bytes; facts about one instance are a few hundred


@dataclass(frozen=True)
class Entry:
    """A live instance; `pid` is its owner's, where that is known; `made` orders claims."""

    instance: ServiceInstance
    pid: int | None
    made: int


@dataclass(frozen=True)
class Foreign:
    """A file that is none of ours, or that nobody can read."""

    reason: str


@dataclass(frozen=True)
class Loaded:
    """What `load` found; `vanished` tells that files were replaced or removed meanwhile."""

    entries: dict[str, Entry | Foreign]
    vanished: bool


def encode(instance: ServiceInstance) -> bytes:
    """Return what the owner, this process, writes into the file."""
    owner = {'pid': os.getpid(), 'pid_namespace': pid_namespace()}
    return json.dumps({**instance.serialize(), 'owner': owner}).encode()


def list_names(directory: Path) -> set[str]:
    """Return the names of all files; a directory that is not there, or cannot be, has none."""
    try:
        return set(os.listdir(directory))
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            return set()
        raise


def load(directory: Path, names: Iterable[str], connector: Connector | None) -> Loaded:
    """Read files; those whose owner is dead are removed and not in the result.

    Raises OSError for what passes, such as too many open files.
    """
    entries: dict[str, Entry | Foreign] = {}
    vanished = False
    for name in names:
        path = directory / name
        if name.startswith(UNFINISHED):
            alive(path)
        elif not _NAME.fullmatch(name):
            entries[name] = Foreign('not the name of an instance')
        else:
            try:
                found = _read(path, connector)
            except FileNotFoundError:
                vanished = True
            except (PermissionError, IsADirectoryError) as error:
                entries[name] = Foreign(str(error.strerror))
            else:
                if found is not None:
                    entries[name] = found
    return Loaded(entries, vanished)


def alive(path: Path) -> bool:
    """Tell whether the owner of a file lives; the file of a dead one is removed."""
    try:
        descriptor = os.open(path, _HOW)
    except FileNotFoundError:
        return False
    except OSError:
        return True  # it cannot be told: too many open files, no permission
    try:
        return _is_held(descriptor, path)
    finally:
        os.close(descriptor)


def names_in_use(directory: Path) -> set[str]:
    """Return the names of the services below `directory` that have a live instance."""
    found = set()
    for part in list_names(directory):
        folder = directory / part
        names = list_names(folder)
        if any(_NAME.fullmatch(name) and alive(folder / name) for name in names):
            found.add(unescape(part))
        else:
            with suppress(OSError):  # files of others in it
                folder.rmdir()
    return found


def _read(path: Path, connector: Connector | None) -> Entry | Foreign | None:
    descriptor = os.open(path, _HOW)
    try:
        if not _is_held(descriptor, path):
            return None
        data = os.read(descriptor, _SIZE)
        made = os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)
    try:
        facts = json.loads(data)
        if not isinstance(facts, dict):
            raise ValueError('expected an object')
        return Entry(ServiceInstance.deserialize(facts, connector), _owner(facts), made)
    except (ValueError, RecursionError) as error:
        return Foreign(f'not the facts about an instance: {error}')


def _is_held(descriptor: int, path: Path) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    with suppress(OSError):
        path.unlink()
    return False


def _owner(facts: dict[str, Any]) -> int | None:
    owner = facts.get('owner')
    if not isinstance(owner, dict) or owner.get('pid_namespace') != pid_namespace():
        return None
    pid = owner.get('pid')
    return pid if isinstance(pid, int) and pid > 0 else None
