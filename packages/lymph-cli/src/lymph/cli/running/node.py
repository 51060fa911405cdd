"""Runs a node in this process."""

from __future__ import annotations

import os
import shutil
import sysconfig
import warnings
from collections.abc import Sequence

from click.exceptions import Exit

from lymph.cli.configuring import load_node_configuration, node_files
from lymph.cli.logs import set_up_logging
from lymph.cli.outcomes import FAILED
from lymph.cli.printing import wants_color
from lymph.cli.running.ports import check_ports
from lymph.cli.running.stacks import show_greenlets
from lymph.cli.settings import Settings
from lymph.cli.streams import let_services_print
from lymph.services.node.definitions import check_commands, read_definitions
from lymph.services.node.node import Node

__all__ = ['run']


def run(settings: Settings, stop_timeout: float) -> None:
    """Run the node until it is told to stop; raises Exit if something did not end well."""
    _allow_forks()
    let_services_print()
    show_greenlets()
    config = load_node_configuration(settings)
    set_up_logging(settings, config, 'WARNING')
    definitions = read_definitions(config)
    environ = _environ(settings)
    check_commands(definitions, environ['PATH'])
    check_ports(definitions, settings)
    node = Node(definitions, environ=environ, patience=stop_timeout, color=wants_color(settings))
    if not node.run():
        raise Exit(FAILED)


def _allow_forks() -> None:
    """Keep Python 3.12 and later from warning of forks in a process with threads.

    A thread of a node writes to stdout and stderr or sleeps; between the fork and its program, a
    child of gevent's Popen touches neither, and takes no lock that such a thread holds.
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
