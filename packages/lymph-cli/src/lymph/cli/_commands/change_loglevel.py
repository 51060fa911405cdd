"""`lymph change-loglevel`"""

from __future__ import annotations

import click

from lymph.cli._arguments.seconds import Seconds
from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import LEVELS, Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.change_loglevel:run')

_LONGEST = 3600  # seconds


@click.command(
    'change-loglevel',
    epilog='Example: lymph change-loglevel echo lymph.core DEBUG',
    help="""
    Set the level of a logger in all instances of a service, or in one of them.

    ADDRESS is the name of a service, NAME@VERSION, NAME:IDENTITY for the instance whose identity
    begins with IDENTITY, or an endpoint (tcp://HOST:PORT). LOGGER is the name of a logger that
    exists there;
    root is the one of all that have no level of their own. The change is for an hour at most;
    whoever needs more configures it in `logging`.
    """,
)
@click.argument('address', shell_complete=services)
@click.argument('logger')
@click.argument('level', type=click.Choice(LEVELS, case_sensitive=False))
@click.option(
    '--period',
    type=Seconds(_LONGEST),
    metavar='TIME',
    help='Change it back after this time: seconds, or 30s, 5min. Default and maximum: an hour.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')
@pass_settings
def command(
    settings: Settings,
    address: str,
    logger: str,
    level: str,
    period: float | None,
    as_json: bool,
) -> None:
    """Run `lymph change-loglevel`."""
    _run(settings, address, logger, level, period, as_json)
