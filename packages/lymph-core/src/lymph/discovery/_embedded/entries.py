"""The reader's side: what a directory of claimed files says, and who of the owners is dead.

Nothing here knows greenlets or logs, so it may run in a thread. What is dead is removed on the way;
what is not a file of this registry is described, and left as it is. The theory is in `claims`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lymph.core._system.processes import pid_namespace
from lymph.core.services import Connector, ServiceInstance
from lymph.discovery._embedded.claims import UNFINISHED
from lymph.discovery._embedded.files import Unfit, is_passing, open_regular, signature
from lymph.discovery.names import escape, name_in

__all__ = [
    'Entry',
    'Foreign',
    'Loaded',
    'alive',
    'changed',
    'encode',
    'list_names',
    'load',
    'names_in_use',
]

_NAME = re.compile(r'(?P<key>.+)~[0-9a-f]{16}\.json')
_SIZE = 64 * 1024  # bytes; facts about one instance are a few hundred
_PID_MAX = 2**31 - 1


class Entry(NamedTuple):
    """A live instance; `pid` is its owner's, where that is known; `made` orders claims."""

    instance: ServiceInstance
    pid: int | None
    made: int


class Foreign(NamedTuple):
    """What is not a file of this registry, or cannot be read; `seen` is its signature then."""

    reason: str
    seen: tuple[int, ...] | None = None


class Loaded(NamedTuple):
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
        seen = signature(directory / name)
        try:
            found = _read(directory, name, connector)
        except FileNotFoundError:
            vanished = True
        except (Unfit, ValueError, RecursionError) as error:
            entries[name] = Foreign(str(error), seen)
        else:
            if found is not None:
                entries[name] = found
    return Loaded(entries, vanished)


def alive(path: Path) -> bool:
    """Tell whether the owner of a file lives; the file of a dead one is removed."""
    try:
        descriptor, _ = open_regular(path)
    except (FileNotFoundError, Unfit):
        return False
    except OSError:
        return True  # it cannot be told
    try:
        return _is_held(descriptor, path)
    finally:
        os.close(descriptor)


def changed(directory: Path, foreign: Mapping[str, Foreign]) -> set[str]:
    """Return the names of what is no longer what it was when it was found to be foreign."""
    return {name for name, found in foreign.items() if signature(directory / name) != found.seen}


def names_in_use(directory: Path) -> tuple[set[str], dict[str, str]]:
    """Return the names of the services below `directory` that have a live instance.

    Also returns what is left out: paths and reasons. Raises OSError when `directory` cannot be
    listed, and for what passes.
    """
    names = set()
    left_out: dict[str, str] = {}
    for part in list_names(directory):
        folder = directory / part
        try:
            name = name_in(part)
            if _has_instance(folder, left_out):
                names.add(name)
            else:
                with suppress(OSError):  # files of others in it
                    folder.rmdir()
        except FileNotFoundError:
            continue
        except OSError as error:
            if is_passing(error):
                raise
            left_out[str(folder)] = str(error.strerror)
        except ValueError as error:
            left_out[str(folder)] = str(error)
    return names, left_out


def _has_instance(folder: Path, left_out: dict[str, str]) -> bool:
    for name in os.listdir(folder):
        found = load(folder, (name,), None).entries.get(name)
        if isinstance(found, Entry):
            return True
        if found is not None:
            left_out[str(folder / name)] = found.reason
    return False


def _read(directory: Path, name: str, connector: Connector | None) -> Entry | None:
    """Return the instance in a file, None for one that is dead, or still without its name.

    Raises FileNotFoundError, Unfit or ValueError for what is not an instance, OSError for what
    passes.
    """
    named = _NAME.fullmatch(name)
    unfinished = name.startswith(UNFINISHED)
    if named is None and not unfinished:
        raise ValueError('not the name of an instance')
    path = directory / name
    descriptor, found = open_regular(path)
    try:
        if not _is_held(descriptor, path) or named is None:
            return None
        if found.st_size > _SIZE:
            raise ValueError(f'expected at most {_SIZE} bytes, found {found.st_size}')
        facts = _facts(descriptor)
    finally:
        os.close(descriptor)
    instance = ServiceInstance.deserialize(facts, connector)
    if escape(instance.key) != named['key']:
        raise ValueError(f'its name is not that of the instance in it, {instance.key}')
    # The lock of a file with several names says nothing about one of them: its owner removes the
    # one that it knows.
    return Entry(instance, _owner(facts) if found.st_nlink == 1 else None, found.st_mtime_ns)


def _facts(descriptor: int) -> dict[str, Any]:
    try:
        facts = json.loads(os.read(descriptor, _SIZE).decode())
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f'not the facts about an instance: {error}') from error
    if not isinstance(facts, dict):
        raise ValueError(f'expected an object, found {type(facts).__name__}')
    return facts


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
    return pid if type(pid) is int and 0 < pid <= _PID_MAX else None
