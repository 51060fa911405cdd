"""`lymph doctor`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli.running.doctor:run')


@click.command(
    'doctor',
    epilog='Example: lymph doctor -c conf/shop.yml',
    help="""
    Look for what is wrong: with the configuration, this machine, the registry, the event system
    and all running instances.

    Each fault is a line: what was expected, what was found, what to do. CHECK is the name of a
    check, to run that alone; without one all run, those of other distributions too. Exit code 0 if
    nothing was found, 1 otherwise.
    """,
)
@click.argument('names', nargs=-1, metavar='[CHECK]...')
@click.option(
    '--timeout',
    type=click.FloatRange(min=0, max=3600, min_open=True),
    default=20.0,
    metavar='SECONDS',
    help='How long a check may take. Default: 20.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')
@pass_settings
def command(settings: Settings, names: tuple[str, ...], timeout: float, as_json: bool) -> None:
    _run(settings, names, timeout, as_json)
