"""Makes the folder of a new project and says how to go on."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from lymph.cli._program.signals import STOPS
from lymph.cli._projects.files import make_project, project_files
from lymph.cli._projects.names import read_name
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import say, write

__all__ = ['run']


def run(text: str) -> None:
    """Make the folder in the current one, and print what is in it and the next commands.

    Raises UsageError for a name that cannot be one, OperationFailed if the folder cannot be made.
    """
    try:
        project = read_name(text)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if project.name != text:
        say(f'{text} becomes {project.name}: names in Python have no dashes')
    files = project_files(project)
    try:
        with _signals_later():
            make_project(Path(project.name), files)
    except FileExistsError as error:
        raise OperationFailed(
            f'{project.name} exists in this folder already and is left as it is; '
            'choose another name, or move it away'
        ) from error
    except OSError as error:
        raise OperationFailed(
            f'cannot make {project.name} in this folder: {error.strerror or error}; '
            'nothing was made'
        ) from error
    listed = ''.join(f'    {project.name}/{name}\n' for name in files)
    commands = ''.join(f'    {command}\n' for command in _next_commands(project.name))
    write(f'made the service {project.name}:\n{listed}next:\n{commands}')


@contextmanager
def _signals_later() -> Iterator[None]:
    """Let Ctrl-C and the like wait until the folder is there as a whole."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _next_commands(name: str) -> tuple[str, ...]:
    """Return commands that work where they are pasted, also without an activated environment."""
    python, lymph = _program('python', sys.executable), _program('lymph', sys.argv[0])
    tests = f'{python} -m pytest'
    if any(_is_missing(module) for module in ('pytest', 'lymph.testing')):
        tests = f"{python} -m pip install 'lymph-testing[pytest]' && {tests}"
    return f'cd {name}', tests, f'{lymph} node'


def _program(name: str, path: str) -> str:
    """Return the name of a program if a shell finds this one by it, or else its path."""
    found = shutil.which(name)
    if found is not None and _folder(found) == _folder(path):
        return name
    return shlex.quote(os.path.abspath(path))


def _folder(program: str) -> str:
    return os.path.dirname(os.path.abspath(program))  # links lead out of an environment


def _is_missing(module: str) -> bool:
    return importlib.util.find_spec(module) is None
