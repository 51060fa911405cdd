"""The token of a backdoor: kept where only the user of its process can read it.

It is a file in the state directory, named after the identity of the container and gone with it, so
that whoever is logged in as that user needs no token. Others have to be told.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path

from lymph.core._system.state import state_directory

__all__ = ['TokenFile', 'known_token', 'new_token']

_FOLDER = 'backdoor'
_LONGEST = 1000  # characters of a file


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_hex(16)


class TokenFile:
    """The file with the token of a container; raises OSError or ConfigurationError.

    It is locked for as long as its process lives, so that the next one can tell.
    """

    def __init__(self, identity: str, token: str) -> None:
        folder = state_directory(_FOLDER)
        _tidy(folder)
        self._path = folder / identity
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        os.write(self._descriptor, token.encode('ascii'))

    def remove(self) -> None:
        """Remove the file; one that is gone is ignored."""
        with contextlib.suppress(OSError):
            self._path.unlink()
        self.abandon()

    def abandon(self) -> None:
        """Leave the file to the parent, in a forked child. Idempotent."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def known_token(identity: str) -> str | None:
    """Return the token of a container of this user on this machine, None of any other."""
    if not identity.isalnum():  # it came from a registry, and is about to be a part of a path
        return None
    try:
        return (state_directory(_FOLDER) / identity).read_text(encoding='ascii')[:_LONGEST]
    except (OSError, ValueError):
        return None


def _tidy(folder: Path) -> None:
    """Remove the files of processes that were killed."""
    for path in folder.iterdir():
        with contextlib.suppress(OSError), path.open('rb') as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
