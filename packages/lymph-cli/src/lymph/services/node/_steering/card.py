"""How a user of this machine finds and controls a node: its configuration files and its token.

They are the content of a lock file in the state directory that only that user can read, named after
the identity of the node in the registry (`lymph.core._system.lock_files`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import NamedTuple

from lymph.core._system.lock_files import LockFile, remove_dead
from lymph.core._system.state import state_directory

__all__ = ['Card', 'CardFile', 'read_card']

_FOLDER = 'node'
_LONGEST = 100_000  # bytes of a file


class Card(NamedTuple):
    """The token of a node, and the paths of its configuration files."""

    token: str
    config: tuple[str, ...]


class CardFile:
    """The file with the card of this process, which has a new token.

    Files of dead nodes are removed. Raises OSError or ConfigurationError when it cannot be made.
    """

    def __init__(self, identity: str, config: Sequence[str]) -> None:
        folder = state_directory(_FOLDER)
        self.card = Card(secrets.token_hex(16), tuple(config))
        remove_dead(folder)
        self._lock = LockFile(folder / identity, json.dumps(self.card._asdict()).encode())

    def remove(self) -> None:
        """Remove the file. Idempotent; raises nothing."""
        self._lock.release()


def read_card(identity: str) -> Card | None:
    """Return the card of a node of this user on this machine, None of any other."""
    if not identity.isalnum():  # it came from a registry, and is about to be part of a path
        return None
    try:
        with (state_directory(_FOLDER) / identity).open('rb') as file:
            facts = json.loads(file.read(_LONGEST))
        return Card(str(facts['token']), tuple(map(str, facts['config'])))
    except (OSError, ValueError, KeyError, TypeError):
        return None
