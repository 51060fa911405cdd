"""`lymph tail`"""

from __future__ import annotations

import click

from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import LEVELS, Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.tail:run')


@click.command(
    'tail',
    epilog="Example: lymph tail --level warning --grep 'order [0-9]+' shop payments",
    help="""
    Follow the logs of all instances of services.

    NAME is that of a service, NAME@VERSION, or NAME:IDENTITY for the instance whose identity begins
    with IDENTITY. Instances that start later are followed, too. An instance publishes its log if
    its
    configuration has a container.log_endpoint, such as tcp://127.0.0.1; the workers of a service
    are called NAME.worker.
    """,
)
@click.argument('names', nargs=-1, required=True, metavar='NAME...', shell_complete=services)
@click.option(
    '--level',
    type=click.Choice(LEVELS, case_sensitive=False),
    help='Show records from this level on.',
)
@click.option('--grep', metavar='REGEX', help='Show records whose message or traceback matches.')
@click.option('--trace', metavar='ID', help='Show records of this trace id.')
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON object a line.')
@pass_settings
def command(
    settings: Settings,
    names: tuple[str, ...],
    level: str | None,
    grep: str | None,
    trace: str | None,
    as_json: bool,
) -> None:
    """Run `lymph tail`."""
    _run(settings, names, level, grep, trace, as_json)
