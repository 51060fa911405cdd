"""A command that cannot be loaded, because something it needs is not installed."""

from __future__ import annotations

import acme_engine
import click

__all__ = ['command']


@click.command('broken')
def command() -> None:
    """Never gets this far."""
    acme_engine.start()
