"""The state directory: where lymph keeps files that outlive a process on a machine.

It is `LYMPH_STATE_DIR`, or else ``$XDG_STATE_HOME/lymph``, or else ``~/.local/state/lymph``. The
`path` of a backend's configuration takes precedence. Source: the XDG Base Directory Specification.

A user who can write to it can pretend to be any instance, and can read and change all events. So it
has to belong to the user of this process, and nobody else may have permission to write to it, as
ssh requires of ``~/.ssh``. Other directories are rejected; lymph never changes their permissions.
"""

from __future__ import annotations

import errno
import os
import pwd
import stat
from pathlib import Path

from lymph.config import ConfigurationError, Location
from lymph.config.printable import printable, quoted

__all__ = ['make_private', 'state_base', 'state_directory']

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_LENGTH = 300  # characters of a path in an error


def state_directory(
    *parts: str, path: str | None = None, where: Location | str | None = None
) -> Path:
    """Return the state directory, or the directory `parts` in it. A missing one gets mode 0700.

    `path` is the setting of a backend (None: not set), `where` its place in the configuration.
    Raises ConfigurationError if the directory cannot be made or written to, if it belongs to
    another user, or if other users can write to it.
    """
    base, source = _base(path, where)
    if not base.is_absolute():
        raise ConfigurationError(f'expected an absolute path, found {quoted(str(base))}', source)
    directory = base.joinpath(*parts)
    way_out = 'name' if path is not None else 'set LYMPH_STATE_DIR to'
    others = ''
    try:
        for number in range(len(parts) + 1):
            each = base.joinpath(*parts[:number])
            _make(each, base)
            if not os.access(each, os.W_OK | os.X_OK):
                raise OSError(errno.EACCES, 'not writable')
            others = _others(each)
            if others:
                break  # nothing is made in it
    except (OSError, ValueError) as error:  # ValueError: a null byte, a lone surrogate
        reason = getattr(error, 'strerror', None) or 'not a path that can be used'
        raise ConfigurationError(
            f'cannot keep state in {_shown(directory)}: {reason}; '
            f'{way_out} a directory that this user can write to',
            source,
        ) from error
    if others:
        raise ConfigurationError(
            f'cannot keep state in {_shown(directory)}: {others} '
            f'{way_out} another directory (one that is missing is made)',
            source,
        )
    return directory


def state_base(path: str | None = None) -> Path:
    """Return the state directory, or the one that `path` names instead; it may not exist."""
    return _base(path, None)[0]


def make_private(directory: Path) -> None:
    """Make `directory` and missing parents, with mode 0700; raises OSError."""
    if not directory.is_dir():
        make_private(directory.parent)
        directory.mkdir(mode=0o700, exist_ok=True)


def _base(path: str | None, where: Location | str | None) -> tuple[Path, Location | str | None]:
    if path is not None:
        return Path(os.path.expanduser(path)), where
    named = os.environ.get('LYMPH_STATE_DIR')
    if named:
        return Path(os.path.expanduser(named)), 'LYMPH_STATE_DIR'
    xdg = os.environ.get('XDG_STATE_HOME', '')
    if os.path.isabs(xdg):  # the specification says to ignore relative paths
        return Path(xdg, 'lymph'), 'XDG_STATE_HOME'
    return Path(os.path.expanduser('~/.local/state/lymph')), 'LYMPH_STATE_DIR is not set'


def _make(directory: Path, base: Path) -> None:
    """Make `directory` with mode 0700; for `base`, also its missing parents."""
    if directory == base and not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
    if not directory.is_dir():
        directory.mkdir(mode=0o700, exist_ok=True)


def _others(directory: Path) -> str:
    """Return why others control `directory`, as the beginning of an error's advice; '' if not."""
    found = directory.stat()
    if found.st_uid != os.geteuid():
        owner, user = _user(found.st_uid), _user(os.geteuid())
        return f'{_shown(directory)} belongs to {owner}, not to {user};'
    if found.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(found.st_mode)
        return f'others can write to {_shown(directory)} (mode {mode:04o}); chmod go-w it, or'
    return ''


def _shown(directory: Path) -> str:
    return printable(str(directory), _LENGTH)


def _user(uid: int) -> str:
    try:
        return f'{pwd.getpwuid(uid).pw_name} (uid {uid})'
    except KeyError:
        return f'uid {uid}'
