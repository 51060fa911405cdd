"""`lymph config`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.cli._running.config:run')


@click.command(
    'config',
    epilog='Example: lymph -c conf/echo.yml config container.registry',
    help="""
    Print the configuration that is in effect, or what is at KEY in it.

    Files are merged and variables filled in; a value of the form dep:NAME stays as it is. What
    looks like a secret is masked.
    """,
)
@click.argument('key', required=False)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document instead of YAML.')
@click.option('--show-secrets', is_flag=True, help='Print passwords and the like as they are.')
@pass_settings
def command(settings: Settings, key: str | None, as_json: bool, show_secrets: bool) -> None:
    """Run `lymph config`."""
    _run(settings, key, as_json, show_secrets)
