"""`lymph discover`"""

from __future__ import annotations

import click

from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.discover:run')


@click.command(
    'discover',
    epilog='Example: lymph discover echo --instances',
    help="""
    List the services that are running now, or those that are named.

    SERVICE is a name, NAME@VERSION for the instances that serve a version, or NAME:IDENTITY for the
    one whose identity begins with IDENTITY. Services are sorted by name, versions by number,
    instances by age,
    the oldest first. Each instance is asked how it is and has a second to answer: ok, draining,
    overloaded, foreign (somebody else answers there), silent or unreachable. The exit code is 1 if
    something that is named is not there.
    """,
)
@click.argument('names', nargs=-1, metavar='[SERVICE]...', shell_complete=services)
@click.option('--instances', '-i', '-v', is_flag=True, help='List the instances of each service.')
@click.option('--versions', is_flag=True, help='List the versions of each service.')
@click.option('--full', is_flag=True, help='Print all that is known of each instance.')
@click.option(
    '--all',
    'everything',
    is_flag=True,
    help='All names in the registry: groups of serial handlers, names without instances.',
)
@click.option(
    '--health/--no-health', default=True, help='Ask instances how they are. Default: ask.'
)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document, instances included.')
@pass_settings
def command(settings: Settings, /, names: tuple[str, ...], as_json: bool, **shown: bool) -> None:
    """Run `lymph discover`."""
    _run(settings, names, as_json, **shown)
