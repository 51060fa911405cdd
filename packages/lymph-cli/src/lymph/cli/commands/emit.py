"""`lymph emit`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli.running.emit:run')


@click.command(
    'emit',
    epilog='Example: lymph emit uppercase_transform_finished \'{"text": "foo"}\'',
    help="""
    Emit an event; returns when the event is safe.

    PARAMS is its body: a JSON object, or - to read one from stdin; or pairs: name=text, name:=json.
    """,
)
@click.argument('type', metavar='TYPE')
@click.argument('params', nargs=-1)
@click.option(
    '--delay',
    type=click.FloatRange(min=0),
    default=0.0,
    metavar='SECONDS',
    help='Deliver the event not before this time has passed.',
)
@pass_settings
def command(settings: Settings, type: str, params: tuple[str, ...], delay: float) -> None:
    _run(settings, type, params, delay)
