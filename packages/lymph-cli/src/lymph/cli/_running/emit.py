"""Emits one event."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lymph.cli._arguments.bodies import parse_body
from lymph.cli._running.asking import open_client
from lymph.cli._running.tracing import choose_trace_id, traced
from lymph.cli.settings import Settings
from lymph.core._work.chains import raised_by

__all__ = ['run']


def run(
    settings: Settings,
    type: str,
    params: Sequence[str],
    delay: float,
    trace_id: str | None,
    verbose: bool,
) -> None:
    """Emit the event; raises OperationFailed, with the trace id, if it may be lost."""
    trace_id = choose_trace_id(trace_id)
    body = parse_body(params)
    with open_client(settings, plugins=True) as client, traced(trace_id, verbose=verbose):
        try:
            client.emit(type, body, delay=delay)
        except ValueError as error:
            if raised_by(error) is not None:
                raise
            raise click.UsageError(str(error)) from error
