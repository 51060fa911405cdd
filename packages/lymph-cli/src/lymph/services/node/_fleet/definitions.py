"""What a node runs: the `instances` section of a configuration. Source: the manual, 4.1.4.

instances:
    echo:
        command: lymph instance --config=conf/echo.yml
        numprocesses: 2                                     # default: 1
        env: {POOL: '8'}                                    # added to the environment of the node
        cwd: /srv/echo                                      # default: the folder of the node
        restart: always                                     # or on-failure, never
        stop_timeout: 30                                    # seconds; default: that of the node
        sockets: [front]                                    # see `socket_definitions`
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal, cast

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.printable import quoted
from lymph.core.options import refuse_unknown
from lymph.services.node._fleet.shell_words import shell_word
from lymph.services.node._fleet.socket_definitions import SocketDefinition, read_names, read_sockets

__all__ = ['Definition', 'Restart', 'check_commands', 'read_definitions', 'service_words']

_KEYS = ('command', 'numprocesses', 'env', 'cwd', 'restart', 'stop_timeout', 'sockets')
_MOST = 1000  # processes of one command
#: The subcommands of `lymph` that serve until they are told to stop, and say when they are ready.
_SERVING = frozenset({'instance', 'worker'})
#: What the node tells each process itself.
_SET_BY_NODE = frozenset({'LISTEN_FDNAMES', 'LISTEN_FDS', 'LISTEN_PID', 'LYMPH_READY_FD'})

Restart = Literal['always', 'on-failure', 'never']
_RESTARTS = ('always', 'on-failure', 'never')


@dataclass(frozen=True, slots=True)
class Definition:
    """A command, how many processes run it and how, and where in the configuration it stands.

    `env` is added to the environment of the node; `cwd` is None for its folder, `stop_timeout` (in
    seconds) for its own, `sockets` for those that its ports need.
    """

    name: str
    command: tuple[str, ...]
    numprocesses: int
    where: Location
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    restart: Restart = 'on-failure'
    stop_timeout: float | None = None
    sockets: tuple[SocketDefinition, ...] | None = None

    def processes(self) -> list[str]:
        """Return the names of the processes: `echo.1`, `echo.2`."""
        return [f'{self.name}.{number}' for number in range(1, self.numprocesses + 1)]

    @property
    def serves(self) -> bool:
        """Whether the command is an instance or a worker of lymph."""
        return service_words(self.command) is not None

    @property
    def has_pidfile(self) -> bool:
        """Whether the command is to write its process id to a file, which one process can do."""
        words = service_words(self.command) or ()
        return any(word.partition('=')[0] == '--pidfile' for word in words)

    def runs_like(self, other: Definition) -> bool:
        """Tell whether a process of `other` does what a process of this one would do."""
        mine, others = (
            (
                each.command,
                each.env,
                each.cwd,
                [(made.name, str(made)) for made in each.sockets or ()],
            )
            for each in (self, other)
        )
        return mine == others

    def says_the_same(self, other: Definition) -> bool:
        """Tell whether `other` differs in nothing but its place."""
        mine, others = (
            (each.name, each.numprocesses, each.restart, each.stop_timeout)
            for each in (self, other)
        )
        return mine == others and self.runs_like(other)


def service_words(command: Iterable[str]) -> tuple[str, ...] | None:
    """Return what follows `lymph` in the command of an instance or a worker, None for any other.

    Programs that start `lymph` may stand in front, such as `nice` and `env`.
    """
    words = tuple(command)
    for number, word in enumerate(words):
        if PurePath(word).name == 'lymph':
            rest = words[number + 1 :]
            return None if _SERVING.isdisjoint(rest) else rest
    return None


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
    sockets = read_sockets(config)
    return [_read(name, section.view([name]), sockets) for name in section]


def check_commands(definitions: Iterable[Definition], search_path: str) -> None:
    """Raise ConfigurationError if a command or its folder is not found.

    `search_path` is in the form of PATH; a PATH in the `env` of a definition goes before it.
    """
    for definition in definitions:
        folder = definition.cwd or os.curdir
        if not os.path.isdir(folder):
            raise ConfigurationError(f'no folder {quoted(folder)} (cwd)', definition.where)
        program = definition.command[0]
        path = definition.env.get('PATH', search_path)
        # What has a folder in front is looked for from the folder that the process runs in.
        found = os.path.join(folder, program) if os.path.dirname(program) else program
        if shutil.which(found, path=path) is None:
            raise ConfigurationError(
                f'no program {program!r}; check its name, its mode and PATH', definition.where
            )


def _read(name: str, view: ConfigView, sockets: Mapping[str, SocketDefinition]) -> Definition:
    refuse_unknown(view, _KEYS, plain=True)
    command = _command(view)
    cwd = view.get_line('cwd', None)
    default = 'on-failure' if service_words(command) is None else 'always'
    definition = Definition(
        name,
        command,
        view.get_int('numprocesses', 1, minimum=0, maximum=_MOST),
        view.locate('command'),
        _environment(view.view('env')),
        None if cwd is None else os.path.expanduser(cwd),
        cast('Restart', view.get_choice('restart', _RESTARTS, default)),
        view.get_seconds('stop_timeout', None, zero=True),
        _sockets(view, sockets),
    )
    if definition.numprocesses > 1 and definition.has_pidfile:
        count = definition.numprocesses
        raise view.error(
            'command', f'{count} processes cannot all have one --pidfile; leave it out'
        )
    return definition


def _sockets(
    view: ConfigView, known: Mapping[str, SocketDefinition]
) -> tuple[SocketDefinition, ...] | None:
    if view.get_raw('sockets') is None:
        return None
    return tuple(known[each] for each in read_names(view, known))


def _environment(view: ConfigView) -> dict[str, str]:
    environment = {}
    for name in view:
        value = view.get([name])
        if not name or '=' in name or '\0' in name:
            raise view.error([name], 'expected the name of an environment variable')
        if name in _SET_BY_NODE:
            raise view.error([name], 'the node sets it; remove it')
        # Booleans are rejected: YAML reads `yes`, `on` and `true` alike, so the text is lost.
        if isinstance(value, bool) or not isinstance(value, (str, int)) or '\0' in str(value):
            raise view.error(
                [name], f'expected text, found {quoted(value)}; put it between quotation marks'
            )
        environment[name] = str(value)
    return environment


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
