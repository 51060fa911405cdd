"""`lymph new`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy

__all__ = ['command']

_run = lazy('lymph.cli._running.new:run')


@click.command(
    'new',
    epilog='Example: lymph new shop',
    help="""
    Make a folder with a service that runs, its configuration, a test and a README.

    NAME is that of the folder, of the module in it and of the service. Letters, digits and
    underscores make a name; dashes become underscores. What exists is left alone.
    """,
)
@click.argument('name')
def command(name: str) -> None:
    """Run `lymph new NAME`."""
    _run(name)
