"""Where lymph keeps what outlives a process on one machine: the state directory.

It is `LYMPH_STATE_DIR`, else ``$XDG_STATE_HOME/lymph``, else ``~/.local/state/lymph``; the `path`
of a backend's configuration goes before all of them. Source: the XDG Base Directory Specification.
"""

from __future__ import annotations

import os
from pathlib import Path

from lymph.config.exceptions import ConfigurationError
from lymph.config.locations import Location

__all__ = ['state_directory']


def state_directory(
    *parts: str, path: str | None = None, where: Location | str | None = None
) -> Path:
    """Return the state directory, or the directory `parts` in it, made with mode 0700 if missing.

    `path` is what the configuration says and `where` it says so, for the error. Raises
    ConfigurationError when the directory cannot be made or nothing can be written to it.
    """
    base, source = _base(path, where)
    if not base.is_absolute():
        raise ConfigurationError(f'expected an absolute path, found {str(base)!r}', source)
    directory = base.joinpath(*parts)
    try:
        _make(directory, base)
    except OSError as error:
        raise ConfigurationError(
            f'cannot keep state in {directory}: {error.strerror}; {_way_out(path)}', source
        ) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f'cannot keep state in {directory}: not writable; {_way_out(path)}', source
        )
    return directory


def _base(path: str | None, where: Location | str | None) -> tuple[Path, Location | str | None]:
    if path is not None:
        return Path(os.path.expanduser(path)), where
    named = os.environ.get('LYMPH_STATE_DIR')
    if named:
        return Path(os.path.expanduser(named)), 'LYMPH_STATE_DIR'
    xdg = os.environ.get('XDG_STATE_HOME', '')
    if os.path.isabs(xdg):  # the specification has relative ones ignored
        return Path(xdg, 'lymph'), 'XDG_STATE_HOME'
    return Path(os.path.expanduser('~/.local/state/lymph')), 'LYMPH_STATE_DIR is not set'


def _make(directory: Path, base: Path) -> None:
    """Make `directory` and what is missing above it; all from `base` on is the owner's alone."""
    if directory.is_dir():
        return
    if directory == base:
        directory.parent.mkdir(parents=True, exist_ok=True)
    else:
        _make(directory.parent, base)
    directory.mkdir(mode=0o700, exist_ok=True)


def _way_out(path: str | None) -> str:
    if path is not None:
        return 'name a directory that this user can write to'
    return 'set LYMPH_STATE_DIR to a directory that this user can write to'
