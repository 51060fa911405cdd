"""`lymph metrics`"""

from __future__ import annotations

import click

from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.metrics:run')


@click.command(
    'metrics',
    epilog='Example: lymph metrics echo --match "rpc.*"',
    help="""
    Print the metrics of all instances of a service.

    ADDRESS is the name of a service, NAME@VERSION, NAME:IDENTITY for the instance whose identity
    begins with IDENTITY, or the endpoint of an instance (tcp://HOST:PORT). Of several instances,
    the sum, the smallest and the largest value are printed; there is no sum of points in time, and
    of queues, of which all instances say the same. A histogram is one line, with the number of
    values, p50 and p99 of all instances together. A process that offers several services has
    metrics of all of them. The exit code is 1 if an instance does not answer.
    """,
)
@click.argument('address', shell_complete=services)
@click.option(
    '--match',
    'patterns',
    multiple=True,
    metavar='NAME',
    help='Only metrics of this name; * and ? as in file names. May be given again.',
)
@click.option(
    '--instances', '--instance', '-i', is_flag=True, help='Print the value of each instance.'
)
@click.option('--prometheus', is_flag=True, help='Print OpenMetrics text, with `instance` labels.')
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document, with all buckets.')
@pass_settings
def command(
    settings: Settings,
    address: str,
    patterns: tuple[str, ...],
    instances: bool,
    prometheus: bool,
    as_json: bool,
) -> None:
    """Run `lymph metrics`; raises UsageError for two forms of output at once."""
    if sum((instances, prometheus, as_json)) > 1:
        raise click.UsageError('expected one of --instances, --prometheus and --json')
    _run(settings, address, patterns, instances, prometheus, as_json)
