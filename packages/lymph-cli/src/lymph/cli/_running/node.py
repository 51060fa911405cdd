"""Runs a node in this process."""

from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import sysconfig
import warnings
from collections.abc import Callable, Mapping, Sequence

from click.exceptions import Exit

from lymph.cli._logging.logs import set_up_logging
from lymph.cli._program.configuring import load_node_configuration, node_files
from lymph.cli._program.streams import let_services_print
from lymph.cli._running.node_sockets import sockets_of
from lymph.cli._running.ports import check_ports, fixed_port
from lymph.cli._running.stacks import show_greenlets
from lymph.cli._running.stopping import stops_heard
from lymph.cli._running.supervised import Supervised
from lymph.cli._running.terminals import Terminal
from lymph.cli._running.titles import set_title
from lymph.cli.outcomes import FAILED
from lymph.cli.printing import wants_color
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError, LymphError
from lymph.services.node._fleet.definitions import Definition, check_commands, read_definitions
from lymph.services.node._fleet.fleet import Fleet
from lymph.services.node._fleet.socket_definitions import read_sockets
from lymph.services.node._fleet.sockets import Sockets
from lymph.services.node._steering.steering import steered

__all__ = ['run']

_STOPPING = 'stopping when all processes have ended; the next signal kills them'


def run(settings: Settings, stop_timeout: float, debug: bool = False) -> None:
    """Run the node until it is told to stop; raises Exit if something did not end well.

    With `debug` its instances and workers are started with ``--debug``.
    """
    _allow_forks()
    let_services_print()
    show_greenlets()
    supervised = Supervised.from_environ()
    config = load_node_configuration(settings)
    set_up_logging(settings, config, 'WARNING')
    environ = _environ(settings)
    definitions = _definitions(config, environ, debug)
    sockets = Sockets(sockets_of(definitions, read_sockets(config), environ))
    fleet = Fleet(
        definitions,
        environ=environ,
        patience=stop_timeout,
        color=wants_color(settings),
        fixed_port=lambda definition: fixed_port(definition, environ),
        sockets=sockets,
    )

    def read_again() -> None:
        config = load_node_configuration(settings)
        definitions = _definitions(config, environ, debug)
        named = read_sockets(config)
        sockets.update(sockets_of(definitions, named, environ, sockets.wanted))
        fleet.reload(definitions)

    terminal = Terminal()

    def stop() -> None:
        supervised.stopping(_STOPPING)
        fleet.stop()

    def hang_up() -> None:
        if terminal.closed:
            stop()
        else:
            _attempt(fleet, read_again, 'nothing was changed')

    hear: dict[int, Callable[[], object]] = {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: hang_up,
        signal.SIGUSR2: lambda: _attempt(fleet, fleet.roll, 'the rolling restart ended'),
    }
    files = [os.path.realpath(path) for path in settings.configuration_files() or node_files()]
    with stops_heard(lambda number: hear[number](), hear), steered(fleet, files):
        set_title(f'lymph node: {", ".join(files)}')
        ended_well = fleet.run(lambda: supervised.serving(_words(definitions)))
    sockets.close()
    if not ended_well:
        raise Exit(FAILED)


def _words(definitions: Sequence[Definition]) -> str:
    """Return what the node says it serves: `echo (2), demo`."""
    return ', '.join(
        each.name if each.numprocesses == 1 else f'{each.name} ({each.numprocesses})'
        for each in definitions
    )


def _definitions(
    config: Configuration, environ: Mapping[str, str], debug: bool
) -> list[Definition]:
    """Return what a configuration defines, checked; raises ConfigurationError."""
    definitions = read_definitions(config)
    check_commands(definitions, environ['PATH'])
    check_ports(definitions, environ)
    return [_debugged(each) if debug else each for each in definitions]


def _debugged(definition: Definition) -> Definition:
    if not definition.serves or '--debug' in definition.command:
        return definition
    return dataclasses.replace(definition, command=(*definition.command, '--debug'))


def _attempt(fleet: Fleet, action: Callable[[], object], outcome: str) -> None:
    """Do what a signal asks for; why it cannot be done is a line of the node."""
    try:
        action()
    except ConfigurationError as error:
        fleet.output.say(f'{error}; {outcome}')
    except LymphError as error:
        fleet.output.say(str(error))


def _allow_forks() -> None:
    """Keep Python 3.12 and later from warning of forks in a process with threads.

    A thread of a node writes to stdout and stderr, reads /proc or sleeps; between the fork and its
    program, a child of gevent's Popen does neither, and takes no lock that such a thread holds.
    """
    warnings.filterwarnings(
        'ignore', 'This process .* is multi-threaded, use of fork', DeprecationWarning
    )


def _environ(settings: Settings) -> dict[str, str]:
    """Return the environment of the instances: they share this node's files and its `lymph`."""
    environ = dict(os.environ)
    environ['LYMPH_NODE_CONFIG'] = _absolute(settings.configuration_files() or node_files())
    if settings.variable_files():
        environ['LYMPH_VARS'] = _absolute(settings.variable_files())
    # What a program in Python prints is to be seen when it is printed; `lymph` sees to it itself.
    environ.setdefault('PYTHONUNBUFFERED', '1')
    environ['PATH'] = _search_path()
    return environ


def _search_path() -> str:
    """Return PATH, with the folder of this `lymph` before all others unless it is found anyhow."""
    path = os.environ.get('PATH', os.defpath)
    scripts = sysconfig.get_path('scripts')
    own = shutil.which('lymph', path=scripts)
    if own is None or shutil.which('lymph', path=path) == own:
        return path
    return os.pathsep.join([scripts, path])


def _absolute(paths: Sequence[str]) -> str:
    return os.pathsep.join(os.path.abspath(path) for path in paths)
