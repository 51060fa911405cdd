"""`lymph emit`"""

from __future__ import annotations

import click

from lymph.cli._arguments.seconds import Seconds
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.emit:run')

_EXAMPLES = """\b
Examples:
  lymph emit uppercase_transform_finished text=foo
  lymph emit order.placed '{"id": 17}' --delay 30s
  lymph emit order.placed - < order.json
"""
_LONGEST_DELAY = 100 * 365.25 * 86400  # seconds, as `lymph.events.checks` has it


@click.command(
    'emit',
    epilog=_EXAMPLES,
    help="""
    Emit an event; returns when the event is safe.

    PARAMS is its body: a JSON object, or - to read one from stdin; or pairs, name=text and
    name:=json, which replace the members of an object.
    """,
)
@click.argument('type', metavar='TYPE')
@click.argument('params', nargs=-1)
@click.option(
    '--delay',
    type=Seconds(_LONGEST_DELAY, positive=False),
    default=0.0,
    metavar='TIME',
    help='Deliver the event not before this time has passed: seconds, or 500ms, 5min, 2h.',
)
@click.option(
    '--trace-id', metavar='ID', help='Emit with this trace id. Default: a new one; -v shows it.'
)
@click.option(
    '--verbose', '-v', is_flag=True, help='Say the trace id on stderr first, for `lymph trace`.'
)
@pass_settings
def command(
    settings: Settings,
    type: str,
    params: tuple[str, ...],
    delay: float,
    trace_id: str | None,
    verbose: bool,
) -> None:
    """Run `lymph emit`."""
    _run(settings, type, params, delay, trace_id, verbose)
