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
    """Run the node in this process until it is stopped or all its processes have finished.

    `stop_timeout` is in seconds, for processes whose definition has none. With `debug`, instances
    and workers are started with ``--debug``. Raises ConfigurationError if the configuration cannot
    be used, and Exit (code 1) if a process kept failing, had to be killed, or failed as it stopped.
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

    def reload() -> None:
        config = load_node_configuration(settings)
        definitions = _definitions(config, environ, debug)
        named = read_sockets(config)
        sockets.update(sockets_of(definitions, named, environ, sockets.wanted))
        fleet.reload(definitions)

    actions = _actions(fleet, supervised, reload)
    files = [os.path.realpath(path) for path in settings.configuration_files() or node_files()]
    with stops_heard(lambda number: actions[number](), actions), steered(fleet, files):
        set_title(f'lymph node: {", ".join(files)}')
        ended_well = fleet.run(lambda: supervised.serving(_words(definitions)))
    sockets.close()
    if not ended_well:
        raise Exit(FAILED)


def _actions(
    fleet: Fleet, supervised: Supervised, reload: Callable[[], None]
) -> dict[int, Callable[[], object]]:
    """Return what a node does at each signal.

    SIGHUP reloads the configuration, or stops the node if its terminal has been closed.
    """
    terminal = Terminal()

    def stop() -> None:
        supervised.stopping(_STOPPING)
        fleet.stop()

    def hang_up() -> None:
        if terminal.closed:
            stop()
        else:
            _attempt(fleet, reload, 'nothing was changed')

    return {
        signal.SIGTERM: stop,
        signal.SIGINT: stop,
        signal.SIGHUP: hang_up,
        signal.SIGUSR2: lambda: _attempt(fleet, fleet.roll, 'the rolling restart ended'),
    }


def _words(definitions: Sequence[Definition]) -> str:
    """Return the text that tells a supervisor what the node runs: `echo (2), demo`."""
    return ', '.join(
        each.name if each.numprocesses == 1 else f'{each.name} ({each.numprocesses})'
        for each in definitions
    )


def _definitions(
    config: Configuration, environ: Mapping[str, str], debug: bool
) -> list[Definition]:
    """Return the validated definitions of a configuration; raises ConfigurationError."""
    definitions = read_definitions(config)
    check_commands(definitions, environ['PATH'])
    check_ports(definitions, environ)
    return [_debugged(each) if debug else each for each in definitions]


def _debugged(definition: Definition) -> Definition:
    if not definition.serves or '--debug' in definition.command:
        return definition
    return dataclasses.replace(definition, command=(*definition.command, '--debug'))


def _attempt(fleet: Fleet, action: Callable[[], object], outcome: str) -> None:
    """Run the action of a signal; if it fails, print why and the `outcome` as one line."""
    try:
        action()
    except ConfigurationError as error:
        fleet.output.say(f'{error}; {outcome}')
    except LymphError as error:
        fleet.output.say(str(error))


def _allow_forks() -> None:
    """Silence the warning of Python 3.12 and later about forks in a process with threads.

    The fork is safe here: the threads of a node only write to stdout and stderr, read /proc or
    sleep, and a child of gevent's Popen takes none of their locks before it executes its program.
    """
    warnings.filterwarnings(
        'ignore', 'This process .* is multi-threaded, use of fork', DeprecationWarning
    )


def _environ(settings: Settings) -> dict[str, str]:
    """Return the environment of the processes, with this node's configuration and `lymph`."""
    environ = dict(os.environ)
    environ['LYMPH_NODE_CONFIG'] = _absolute(settings.configuration_files() or node_files())
    if settings.variable_files():
        environ['LYMPH_VARS'] = _absolute(settings.variable_files())
    # Without it, other Python programs would buffer what they print; `lymph` never does.
    environ.setdefault('PYTHONUNBUFFERED', '1')
    environ['PATH'] = _search_path()
    return environ


def _search_path() -> str:
    """Return PATH, with the folder of this `lymph` first unless PATH already leads to it."""
    path = os.environ.get('PATH', os.defpath)
    scripts = sysconfig.get_path('scripts')
    own = shutil.which('lymph', path=scripts)
    if own is None or shutil.which('lymph', path=path) == own:
        return path
    return os.pathsep.join([scripts, path])


def _absolute(paths: Sequence[str]) -> str:
    return os.pathsep.join(os.path.abspath(path) for path in paths)
