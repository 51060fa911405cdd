"""`lymph discover`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli.running.discover:run')


@click.command(
    'discover',
    epilog='Example: lymph discover echo --instances',
    help="""
    List the services that are running now, or those that are named.

    SERVICE is a name, or NAME@VERSION for the instances that serve a version.
    """,
)
@click.argument('names', nargs=-1, metavar='[SERVICE]...')
@click.option('--instances', '-i', '-v', is_flag=True, help='List the instances of each service.')
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document, instances included.')
@pass_settings
def command(settings: Settings, names: tuple[str, ...], instances: bool, as_json: bool) -> None:
    _run(settings, names, instances, as_json)
