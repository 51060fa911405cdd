"""The token of a backdoor: kept where only the user of its process can read it.

It is the content of a lock file in the state directory that is named after the identity of the
container (`lymph.core._system.lock_files`). Who is logged in as that user needs to be told no
token; all others do.
"""

from __future__ import annotations

import secrets

from lymph.core._system.lock_files import LockFile, remove_dead
from lymph.core._system.state import state_directory

__all__ = ['known_token', 'new_token', 'token_file']

_FOLDER = 'backdoor'
_LONGEST = 1000  # characters of a file


def new_token() -> str:
    """Return a token that nobody can guess: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def token_file(identity: str, token: str) -> LockFile:
    """Make the file with the token of a container, and remove those of dead containers.

    Raises OSError or ConfigurationError when it cannot be made.
    """
    folder = state_directory(_FOLDER)
    remove_dead(folder)
    return LockFile(folder / identity, token.encode('ascii'))


def known_token(identity: str) -> str | None:
    """Return the token of a container of this user on this machine, None of any other."""
    if not identity.isalnum():  # it came from a registry, and is about to be part of a path
        return None
    try:
        return (state_directory(_FOLDER) / identity).read_text(encoding='ascii')[:_LONGEST]
    except (OSError, ValueError):
        return None
