"""The token of a backdoor, in a file that only the user of its process can read.

The file is a lock file in the state directory (`lymph.core._system.lock_files`), named after the
identity of the container. So `lymph shell` finds the token itself for this user on this machine;
all others have to be given it.
"""

from __future__ import annotations

import secrets

from lymph.core._system.lock_files import LockFile, remove_dead
from lymph.core._system.state import state_directory

__all__ = ['known_token', 'new_token', 'token_file']

_FOLDER = 'backdoor'
_LONGEST = 1000  # characters read from a file


def new_token() -> str:
    """Return a token that nobody can guess: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def token_file(identity: str, token: str) -> LockFile:
    """Make the file with the token of a container; remove those of dead containers.

    Raises OSError or ConfigurationError if the file cannot be made.
    """
    folder = state_directory(_FOLDER)
    remove_dead(folder)
    return LockFile(folder / identity, token.encode('ascii'))


def known_token(identity: str) -> str | None:
    """Return the token of a container of this user on this machine; None for any other one."""
    if not identity.isalnum():  # it came from a registry, and becomes part of a path
        return None
    try:
        return (state_directory(_FOLDER) / identity).read_text(encoding='ascii')[:_LONGEST]
    except (OSError, ValueError):
        return None
