"""`lymph node`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.cli.running.node:run')


@click.command(
    'node',
    epilog='Example: lymph node --config .lymph.yml',
    help="""
    Run all instances that a configuration names, and keep them running.

    Reads `.lymph.yml`, or what LYMPH_NODE_CONFIG or --config name. Every entry of its section
    `instances` has a `command`, and `numprocesses` if it is to run more than once. A process that
    fails is started again, after growing delays.

    SIGTERM and Ctrl-C end all of them; the second of these signals kills what still runs. SIGHUP
    reads the configuration again and changes what differs; SIGUSR2 restarts the processes, one
    after the other.
    """,
)
@click.option(
    '--stop-timeout',
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    metavar='SECONDS',
    help='How long processes may take to end before they are killed.',
)
@click.option('--debug', is_flag=True, help='Start instances and workers with --debug.')
@pass_settings
def command(settings: Settings, stop_timeout: float, debug: bool) -> None:
    _run(settings, stop_timeout, debug)
