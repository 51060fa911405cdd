"""The readers' side: the instances that a directory of lock files shows, without the dead ones.

Nothing here uses greenlets or logs, so it can run in a native thread. The files of dead owners are
removed on the way. Whatever is not a file of this registry is described and left as it is. The
owner's side is `instance_files`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from lymph.core._system.lock_files import TEMPORARY, is_locked
from lymph.core._system.processes import pid_namespace
from lymph.core.services import Connector, ServiceInstance
from lymph.discovery._embedded.files import (
    NotReadable,
    is_about_process,
    is_missing,
    open_regular,
    signature,
)
from lymph.discovery.names import escape, name_in

__all__ = [
    'ForeignFile',
    'InstanceEntry',
    'Loaded',
    'changed',
    'is_alive',
    'list_names',
    'load',
    'names_in_use',
]

_NAME = re.compile(r'(?P<key>.+)~[0-9a-f]{16}\.json')
_SIZE = 64 * 1024  # bytes; facts about one instance are a few hundred
_PID_MAX = 2**31 - 1


class InstanceEntry(NamedTuple):
    """A live instance.

    `pid` is its owner's, None where that is not known or lives in another namespace; `made` is the
    time of the file in nanoseconds: of several files with one key the latest counts.
    """

    instance: ServiceInstance
    pid: int | None
    made: int


class ForeignFile(NamedTuple):
    """A file that is not one of this registry, or cannot be read.

    `seen` is the `signature` that it had; None when it was gone by then.
    """

    reason: str
    seen: tuple[int, ...] | None = None


class Loaded(NamedTuple):
    """What `load` found, by file name.

    `vanished` tells whether files were replaced or removed meanwhile.
    """

    entries: dict[str, InstanceEntry | ForeignFile]
    vanished: bool


def list_names(directory: Path) -> set[str]:
    """Return the names of all files in `directory`; empty when it is missing or is no directory.

    Raises OSError when it cannot be listed.
    """
    try:
        return set(os.listdir(directory))
    except OSError as error:
        if is_missing(error):
            return set()
        raise


def load(directory: Path, names: Iterable[str], connector: Connector | None) -> Loaded:
    """Read the files `names` in `directory`; remove those of dead owners, which are left out.

    `connector` is what the instances connect with. Raises OSError for a lack of this process, such
    as too many open files.
    """
    entries: dict[str, InstanceEntry | ForeignFile] = {}
    vanished = False
    for name in names:
        seen = signature(directory / name)
        try:
            found = _read(directory, name, connector)
        except FileNotFoundError:
            vanished = True
        except (NotReadable, ValueError, RecursionError) as error:
            entries[name] = ForeignFile(str(error), seen)
        else:
            if found is not None:
                entries[name] = found
    return Loaded(entries, vanished)


def is_alive(path: Path) -> bool:
    """Tell whether the owner of a file lives, or may; the file of a dead owner is removed."""
    try:
        descriptor, _ = open_regular(path)
    except (FileNotFoundError, NotReadable):
        return False
    except OSError:
        return True  # this process lacks something, which says nothing about the owner
    try:
        return not _remove_if_dead(descriptor, path)
    finally:
        os.close(descriptor)


def changed(directory: Path, foreign: Mapping[str, ForeignFile]) -> set[str]:
    """Return the names of the foreign files that have changed since they were read."""
    return {name for name, found in foreign.items() if signature(directory / name) != found.seen}


def names_in_use(directory: Path) -> tuple[set[str], dict[str, str]]:
    """Return the names of the services below `directory` that have a live instance.

    The second value says what was left out, by path, and why. Raises OSError when `directory`
    cannot be listed, and for a lack of this process.
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
            if is_about_process(error):
                raise
            left_out[str(folder)] = str(error.strerror)
        except ValueError as error:
            left_out[str(folder)] = str(error)
    return names, left_out


def _has_instance(folder: Path, left_out: dict[str, str]) -> bool:
    for name in os.listdir(folder):
        found = load(folder, (name,), None).entries.get(name)
        if isinstance(found, InstanceEntry):
            return True
        if found is not None:
            left_out[str(folder / name)] = found.reason
    return False


def _read(directory: Path, name: str, connector: Connector | None) -> InstanceEntry | None:
    """Return the instance in a file; None when its owner is dead or still writes it.

    Raises FileNotFoundError, NotReadable or ValueError for anything else, OSError for a lack of
    this process.
    """
    named = _NAME.fullmatch(name)
    if named is None and not name.startswith(TEMPORARY):
        raise ValueError('not the name of an instance')
    path = directory / name
    descriptor, found = open_regular(path)
    try:
        if _remove_if_dead(descriptor, path) or named is None:
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
    # one that it knows. Without a process to watch, the lock is checked at every look.
    return InstanceEntry(
        instance, _owner(facts) if found.st_nlink == 1 else None, found.st_mtime_ns
    )


def _facts(descriptor: int) -> dict[str, Any]:
    try:
        facts = json.loads(os.read(descriptor, _SIZE).decode())
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f'not the facts about an instance: {error}') from error
    if not isinstance(facts, dict):
        raise ValueError(f'expected an object, found {type(facts).__name__}')
    return facts


def _remove_if_dead(descriptor: int, path: Path) -> bool:
    """Remove a file that is open here if its owner is dead; tell whether it is."""
    if is_locked(descriptor):
        return False
    with suppress(OSError):
        path.unlink()
    return True


def _owner(facts: dict[str, Any]) -> int | None:
    """Return the process id of the owner, if it means the same process here."""
    owner = facts.get('owner')
    if not isinstance(owner, dict) or owner.get('pid_namespace') != pid_namespace():
        return None
    pid = owner.get('pid')
    return pid if type(pid) is int and 0 < pid <= _PID_MAX else None
