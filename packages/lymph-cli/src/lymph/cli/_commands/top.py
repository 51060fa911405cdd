"""`lymph top`"""

from __future__ import annotations

import click

from lymph.cli._arguments.seconds import Seconds
from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.top:run')

_LONGEST = 3600  # seconds
#: the columns of the table of services; `lymph.cli._top.columns` has them
_COLUMNS = (
    *('name', 'instances', 'rate', 'errors', 'p50', 'p99', 'running'),
    *('http', 'events', 'loop', 'memory', 'cpu'),
)


@click.command(
    'top',
    epilog='Example: lymph top --sort p99',
    help="""
    Watch what services do: rates, errors, latencies, event loops, memory, queues.

    NAME is that of a service; without one, all are shown. Figures are those between two looks.
    Latencies are p50 and p99; LOOP is how late the event loop is (p99), of the worst instance.
    RATE counts calls, or HTTP requests or events if a service has no methods. Press ? for the keys,
    q to quit. With --once, with --json, and where there is no terminal, a table is printed once.
    """,
)
@click.argument('names', nargs=-1, metavar='[NAME]...', shell_complete=services)
@click.option(
    '--interval',
    '-d',
    type=Seconds(_LONGEST),
    metavar='TIME',
    help='Time between two looks: seconds, or 500ms, 1min. Default: 2s, and 1s with --once.',
)
@click.option(
    '--sort',
    type=click.Choice(_COLUMNS),
    default='rate',
    help='Sort by this column, the largest values first. Default: rate.',
)
@click.option('--instances', '-i', is_flag=True, help='Show the instances of each service.')
@click.option('--once', is_flag=True, help='Look twice, print a table, and exit.')
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document once, with all data.')
@pass_settings
def command(
    settings: Settings,
    names: tuple[str, ...],
    interval: float | None,
    sort: str,
    instances: bool,
    once: bool,
    as_json: bool,
) -> None:
    """Run `lymph top`."""
    _run(settings, names, interval, sort, instances, once, as_json)
