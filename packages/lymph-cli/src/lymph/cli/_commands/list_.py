"""`lymph list`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.cli._running.list_:run')


@click.command(
    'list',
    epilog='Example: lymph list',
    help='List all commands, those of other distributions too.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')
@pass_settings
def command(settings: Settings, as_json: bool) -> None:
    """Run `lymph list`."""
    _run(settings, as_json)
