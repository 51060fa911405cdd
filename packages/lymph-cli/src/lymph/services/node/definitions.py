"""What a node runs: the `instances` section of a configuration. Source: the manual, 4.1.4.

instances:
    echo:
        command: lymph instance --config=conf/echo.yml
        numprocesses: 2                                     # default: 1
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable
from dataclasses import dataclass

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.printable import quoted
from lymph.core.options import refuse_unknown
from lymph.services.node.shell_words import shell_word

__all__ = ['Definition', 'check_commands', 'read_definitions']

_KEYS = ('command', 'numprocesses')
_MOST = 1000  # processes of one command


@dataclass(frozen=True, slots=True)
class Definition:
    """A command, how many processes run it, and where in the configuration it stands."""

    name: str
    command: tuple[str, ...]
    numprocesses: int
    where: Location

    def processes(self) -> Iterable[str]:
        """Return the names of the processes: `echo.1`, `echo.2`."""
        return [f'{self.name}.{number}' for number in range(1, self.numprocesses + 1)]


def read_definitions(config: ConfigView) -> list[Definition]:
    """Return what the `instances` section of a configuration defines.

    Raises ConfigurationError if it defines nothing, or something that cannot be run.
    """
    section = config.view('instances')
    if not section:
        raise config.error(
            'instances',
            'nothing to run; name instances with their command, as in the manual, 4.1.4',
        )
    return [_read(name, section.view([name])) for name in section]


def check_commands(definitions: Iterable[Definition], search_path: str) -> None:
    """Raise ConfigurationError if a command is not found; `search_path` is in the form of PATH."""
    for definition in definitions:
        program = definition.command[0]
        if shutil.which(program, path=search_path) is None:
            raise ConfigurationError(
                f'no program {program!r}; check its name, its mode and PATH', definition.where
            )


def _read(name: str, view: ConfigView) -> Definition:
    refuse_unknown(view, _KEYS, plain=True)
    count = view.get_int('numprocesses', 1, minimum=0, maximum=_MOST)
    return Definition(name, _command(view), count, view.locate('command'))


def _command(view: ConfigView) -> tuple[str, ...]:
    if isinstance(view.get_raw('command'), list):
        words = view.get_list('command')
        if not all(isinstance(word, str) for word in words):
            raise view.error('command', f'expected a list of text, found {quoted(words)}')
    else:
        words = _split(view)
    if not words:
        raise view.error('command', 'expected a command, found nothing')
    if any('\0' in word for word in words):
        raise view.error('command', 'expected words without NUL characters; remove them')
    return tuple(words)


def _split(view: ConfigView) -> list[str]:
    command = view.get_str('command')
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise view.error('command', f'not a command line: {error}'.lower()) from error
    for_a_shell = shell_word(command)
    if for_a_shell is not None:
        raise view.error(
            'command',
            f'{quoted(for_a_shell)} means something to a shell alone, and none is used; '
            "write sh -c '...' around the whole, or quotes around the word",
        )
    return words
