"""`lymph inspect`"""

from __future__ import annotations

import click

from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.inspect:run')


@click.command(
    'inspect',
    epilog='Example: lymph inspect echo',
    help="""
    Print what a service offers in each of its versions.

    That is its methods with parameters, types, errors and documentation, the events that it
    handles, and its tasks, sorted by name and version, with the classes that they name. --json has
    their JSON Schemas. ADDRESS is the name of a service, NAME@VERSION for a version of it,
    NAME:IDENTITY for the instance whose identity begins with IDENTITY, or the endpoint of an
    instance (tcp://HOST:PORT).
    """,
)
@click.argument('address', shell_complete=services)
@click.option('--all', 'everything', is_flag=True, help='All that the instances offer.')
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')
@pass_settings
def command(settings: Settings, address: str, everything: bool, as_json: bool) -> None:
    """Run `lymph inspect`."""
    _run(settings, address, everything, as_json)
