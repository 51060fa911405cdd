"""Emits one event."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lymph.cli.bodies import parse_body
from lymph.cli.running.asking import open_client
from lymph.cli.settings import Settings

__all__ = ['run']


def run(settings: Settings, type: str, params: Sequence[str], delay: float) -> None:
    """Emit the event; raises EmitFailure if it may be lost."""
    body = parse_body(params)
    with open_client(settings) as client:
        try:
            client.emit(type, body, delay=delay)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
