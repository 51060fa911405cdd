"""`lymph subscribe`"""

from __future__ import annotations

import click

from lymph.cli._arguments.seconds import Seconds
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.subscribe:run')

_LONGEST = 365 * 86400  # seconds


@click.command(
    'subscribe',
    epilog="Example: lymph subscribe 'task.*' order_placed",
    help="""
    Print events as they happen.

    In a TYPE, * stands for one word and # for any number of words between dots.
    """,
)
@click.argument('types', nargs=-1, required=True, metavar='TYPE...')
@click.option('--count', '-n', type=click.IntRange(min=1), metavar='N', help='End after N events.')
@click.option(
    '--timeout',
    type=Seconds(_LONGEST),
    metavar='TIME',
    help='Give up when no event has come for this time: seconds, or 500ms, 5min, 2h.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON object a line.')
@pass_settings
def command(
    settings: Settings,
    types: tuple[str, ...],
    count: int | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Run `lymph subscribe`."""
    _run(settings, types, count, timeout, as_json)
