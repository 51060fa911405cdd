"""`lymph why`"""

from __future__ import annotations

import click

from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.why:run')


@click.command(
    'why',
    epilog='Example: lymph why echo@1.2',
    help="""
    Tell why calls to a service fail: which instances they reach, which are passed over and why.

    ADDRESS is the name of a service, NAME@VERSION for a version of it, NAME:IDENTITY for the
    instance whose identity begins with IDENTITY, or the endpoint of an instance (tcp://HOST:PORT).
    The first
    line says what is wrong and what to do. Exit code 0 if a call would reach an instance, 1
    otherwise.
    """,
)
@click.argument('address', shell_complete=services)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')
@pass_settings
def command(settings: Settings, address: str, as_json: bool) -> None:
    """Run `lymph why`."""
    _run(settings, address, as_json)
