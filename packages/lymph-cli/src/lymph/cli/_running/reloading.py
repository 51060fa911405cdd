"""Notices that the source of a running program has changed, and starts the program again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

import gevent
from gevent.event import Event

from lymph.cli._program.tracebacks import is_users_file
from lymph.cli.output import say
from lymph.config import ConfigurationError
from lymph.core._system.inherited import keep_open

__all__ = ['Reloader', 'changes', 'start_again']

#: Seconds between two looks. Nothing tells of modules that are imported later, so they and their
#: files are looked at together.
_INTERVAL = 0.5


class Reloader:
    """Sets `changed` when a loaded module or a configuration file has changed and can be used.

    `files` are the configuration files; `check` raises ConfigurationError if they are of no use.
    """

    def __init__(self, files: Iterable[str], check: Callable[[], object]) -> None:
        self.changed = Event()
        self._files = tuple(files)
        self._check = check
        self._watcher = gevent.spawn(self._watch)

    def stop(self) -> None:
        """Stop looking."""
        self._watcher.kill()

    def _watch(self) -> None:
        threads = gevent.get_hub().threadpool
        before: dict[str, int] = {}
        while not self.changed.is_set():
            paths = [*_sources(), *self._files]
            now = threads.apply(_times, (paths,))
            changed = changes(before, now)
            if changed and self._usable(changed):
                say(f'{", ".join(changed)} changed: starting again')
                self.changed.set()
            before = now
            gevent.sleep(_INTERVAL)

    def _usable(self, changed: Iterable[str]) -> bool:
        try:
            for path in changed:
                if path.endswith('.py'):
                    compile(Path(path).read_bytes(), path, 'exec')
            self._check()
        except (SyntaxError, ValueError, OSError, ConfigurationError) as error:
            say(f'not started again: {error}')
            return False
        return True


def changes(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """Return the files whose times differ; one that is seen for the first time has not changed."""
    return sorted(path for path, time in now.items() if before.get(path, time) != time)


def start_again(environ: Mapping[str, str]) -> NoReturn:
    """Replace this process by a new one with the same command line and more in its environment."""
    keep_open()
    arguments = [sys.executable, *sys.orig_argv[1:]]
    os.execve(sys.executable, arguments, {**os.environ, **environ})


def _sources() -> list[str]:
    """Return the files of loaded modules that are the user's own."""
    files = [getattr(module, '__file__', None) for module in tuple(sys.modules.values())]
    return [file for file in files if file and is_users_file(file)]


def _times(paths: Iterable[str]) -> dict[str, int]:
    times = {}
    for path in paths:
        try:
            times[path] = os.stat(path).st_mtime_ns
        except OSError:
            continue  # an editor is just replacing it
    return times
