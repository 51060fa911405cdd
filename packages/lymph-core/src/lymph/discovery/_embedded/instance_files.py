"""The owner's side: one registered instance as a lock file.

The file is ``<key>~<random>.json`` in the directory of its service. It is locked while its owner
lives (`lymph.core._system.lock_files`); the readers' side is `entries`. Its random part is used
once, so neither a successor with the same key nor a file that is put back has the name of a file
that a reader may be removing. A replacement is made before the file that it replaces is removed.
"""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

from lymph.core._system.lock_files import LockFile
from lymph.core._system.processes import pid_namespace
from lymph.core.services import ServiceInstance
from lymph.discovery.names import escape

__all__ = ['InstanceFile', 'encode']


class InstanceFile:
    """Shows the others on this machine an instance known by `key` until `release`.

    `data` is what they read of it, see `encode`. Raises OSError when the file cannot be made,
    written or locked.
    """

    def __init__(self, directory: Path, key: str, data: bytes) -> None:
        self._directory = directory
        self._key = key
        self._data = data
        self._lock = self._make()

    def __repr__(self) -> str:
        return f'<InstanceFile {self.path}>'

    @property
    def path(self) -> Path:
        """Where the file is now."""
        return self._lock.path

    @property
    def in_place(self) -> bool:
        """Whether the others find the file: it was not removed or replaced. Never waits."""
        return self._lock.in_place

    def restore(self) -> None:
        """Make the file again under a new name; raises OSError, and then nothing has changed."""
        removed, self._lock = self._lock, self._make()
        removed.abandon()

    def release(self) -> None:
        """Remove the file, and the directory if it is empty then. Idempotent; raises nothing."""
        self._lock.release()
        with suppress(OSError):
            self._directory.rmdir()

    def _make(self) -> LockFile:
        name = f'{escape(self._key)}~{secrets.token_hex(8)}.json'
        return LockFile(self._directory / name, self._data)


def encode(instance: ServiceInstance) -> bytes:
    """Return what the file of an instance of this process contains: its facts and its owner."""
    owner = {'pid': os.getpid(), 'pid_namespace': pid_namespace()}
    return json.dumps({**instance.serialize(), 'owner': owner}).encode()
