"""`lymph greet`: a third-party command."""

from __future__ import annotations

import click

__all__ = ['command']


@click.command('greet')
@click.argument('name')
def command(name: str) -> None:
    """Greet somebody in the name of ACME."""
    click.echo(f'ACME greets {name}')
