"""`lymph node`"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from lymph.cli._arguments.seconds import Seconds
from lymph.cli._program.groups import Group
from lymph.cli.completion import entries
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

Function = TypeVar('Function', bound=Callable[..., Any])

_LONGEST = 86400.0  # seconds

_PATCH = 'lymph.monkey:patch'
_run = lazy(_PATCH, 'lymph.cli._running.node:run')
_ps = lazy(_PATCH, 'lymph.cli._running.node_steering:run_ps')
_change = lazy(_PATCH, 'lymph.cli._running.node_steering:run_change')
_scale = lazy(_PATCH, 'lymph.cli._running.node_steering:run_scale')
_tail = lazy(_PATCH, 'lymph.cli._running.node_steering:run_tail')

_pid = click.option(
    '--pid',
    type=click.IntRange(min=1),
    metavar='PID',
    help='The node with this process id, if several run the same configuration.',
)
_json = click.option('--json', 'as_json', is_flag=True, help='Print JSON.')
_MEANT = 'NAME is an entry of the configuration (echo), or one of its processes (echo.2).'


@click.group(
    'node',
    cls=Group,
    invoke_without_command=True,
    epilog='Example: lymph node --config .lymph.yml',
    help="""
    Run all instances that a configuration names, and keep them running.

    Reads `.lymph.yml`, or what LYMPH_NODE_CONFIG or --config name. Every entry of its section
    `instances` has a `command`, and `numprocesses` if it is to run more than once. A process that
    fails is started again, after growing delays.

    SIGTERM and Ctrl-C end all of them; the second of these signals kills what still runs. SIGHUP
    reads the configuration again and changes what differs; SIGUSR2 restarts the processes, one
    after the other.

    The subcommands speak to the node that runs the same configuration.
    """,
)
@click.option(
    '--stop-timeout',
    type=Seconds(_LONGEST, positive=False),
    default=10.0,
    show_default=True,
    metavar='SECONDS',
    help='How long processes may take to end before they are killed.',
)
@click.option('--debug', is_flag=True, help='Start instances and workers with --debug.')
@pass_settings
@click.pass_context
def command(context: click.Context, settings: Settings, stop_timeout: float, debug: bool) -> None:
    """Run a node, unless a subcommand is given; raises UsageError for options before one."""
    if context.invoked_subcommand is None:
        _run(settings, stop_timeout, debug)
        return
    for name in ('stop_timeout', 'debug'):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = name.replace('_', '-')
            context.fail(f'--{option} is for a node that is started, not for its subcommands')


@command.command(
    'ps',
    epilog='Example: lymph node ps --watch',
    help=f"""
    Show the processes of a running node.

    {_MEANT} CPU is the share of one processor since the start of a process, or since the last look.
    """,
)
@click.argument('names', nargs=-1, metavar='[NAME]...', shell_complete=entries)
@click.option('--watch', '-w', is_flag=True, help='Look again and again, until Ctrl-C.')
@click.option(
    '--interval',
    type=Seconds(_LONGEST),
    default=2.0,
    show_default=True,
    metavar='SECONDS',
    help='Time between two looks, at least 0.1 s.',
)
@_json
@_pid
@pass_settings
def _ps_command(
    settings: Settings,
    names: tuple[str, ...],
    watch: bool,
    interval: float,
    as_json: bool,
    pid: int | None,
) -> None:
    _ps(settings, names, as_json, watch, interval, pid)


@command.command(
    'start',
    epilog='Example: lymph node start echo',
    help=f"""
    Start processes of a running node.

    Waits until they are ready. {_MEANT} What has failed is tried at once.
    """,
)
@click.argument('names', nargs=-1, required=True, metavar='NAME...', shell_complete=entries)
@_pid
@pass_settings
def _start_command(settings: Settings, names: tuple[str, ...], pid: int | None) -> None:
    _change(settings, 'start', names, pid)


@command.command(
    'stop',
    epilog='Example: lymph node stop echo.2',
    help=f"""
    Stop processes of a running node.

    Waits until they have ended. {_MEANT} They stay down until `lymph node start`; the node goes on.
    """,
)
@click.argument('names', nargs=-1, required=True, metavar='NAME...', shell_complete=entries)
@_pid
@pass_settings
def _stop_command(settings: Settings, names: tuple[str, ...], pid: int | None) -> None:
    _change(settings, 'stop', names, pid)


@command.command(
    'restart',
    epilog='Example: lymph node restart echo',
    help=f"""
    Restart processes of a running node, one after the other.

    Without a NAME all that run. {_MEANT} Each new process is ready before the next one goes. One
    that does not get ready ends it: the exit code is 1 then, and the rest goes on as it is.
    """,
)
@click.argument('names', nargs=-1, metavar='[NAME]...', shell_complete=entries)
@_pid
@pass_settings
def _restart_command(settings: Settings, names: tuple[str, ...], pid: int | None) -> None:
    _change(settings, 'restart', names, pid)


@command.command(
    'scale',
    epilog='Example: lymph node scale echo 4',
    help="""
    Change how many processes run an entry.

    NAME is an entry of the configuration of a running node. Waits until new processes are ready,
    and those that are too many have ended. It lasts until the node ends, or the configuration has
    another number.
    """,
)
@click.argument('name', shell_complete=entries)
@click.argument('number', type=click.IntRange(0, 1000))
@_pid
@pass_settings
def _scale_command(settings: Settings, name: str, number: int, pid: int | None) -> None:
    _scale(settings, name, number, pid)


@command.command(
    'tail',
    epilog='Example: lymph node tail echo',
    help=f"""
    Follow what processes of a running node print.

    Goes on until Ctrl-C, and begins with the last lines. {_MEANT} `node` is the node itself.
    """,
)
@click.argument('names', nargs=-1, metavar='[NAME]...', shell_complete=entries)
@click.option(
    '--lines',
    '-n',
    type=click.IntRange(0, 1000),
    default=10,
    show_default=True,
    metavar='N',
    help='Begin with the last N lines.',
)
@_json
@_pid
@pass_settings
def _tail_command(
    settings: Settings, names: tuple[str, ...], lines: int, as_json: bool, pid: int | None
) -> None:
    _tail(settings, names, lines, as_json, pid)
