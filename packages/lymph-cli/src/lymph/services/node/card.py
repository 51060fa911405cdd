"""What a node leaves for its user to find and steer it: its configuration files and its token.

It is a file in the state directory that only that user can read, named after the identity of the
node in the registry. It is locked for as long as the node lives, so that what a killed node has
left is told from it and removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from lymph.core._system.state import state_directory

__all__ = ['Card', 'CardFile', 'read_card']

_FOLDER = 'node'
_LONGEST = 100_000  # bytes of a file


class Card(NamedTuple):
    """The token of a node, and the paths of its configuration files."""

    token: str
    config: tuple[str, ...]


class CardFile:
    """The card of this process, with a new token; raises OSError or ConfigurationError."""

    def __init__(self, identity: str, config: Sequence[str]) -> None:
        folder = state_directory(_FOLDER)
        self.card = Card(secrets.token_hex(16), tuple(config))
        self._path = folder / identity
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with _alone(folder):
            _tidy(folder)
            self._descriptor = os.open(self._path, flags, 0o600)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        os.write(self._descriptor, json.dumps(self.card._asdict()).encode())

    def remove(self) -> None:
        """Remove the file; one that is gone is ignored. Idempotent."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def read_card(identity: str) -> Card | None:
    """Return the card of a node of this user on this machine, None for any other."""
    if not identity.isalnum():  # it came from a registry, and is about to be a part of a path
        return None
    try:
        with (state_directory(_FOLDER) / identity).open('rb') as file:
            facts = json.loads(file.read(_LONGEST))
        return Card(str(facts['token']), tuple(map(str, facts['config'])))
    except (OSError, ValueError, KeyError, TypeError):
        return None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other nodes from taking a new file for one that is left, until it is locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _tidy(folder: Path) -> None:
    """Remove the files of nodes that were killed."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError), path.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
