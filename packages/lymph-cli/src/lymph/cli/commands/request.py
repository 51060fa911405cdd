"""`lymph request`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli.running.request:run')


@click.command(
    'request',
    epilog='Example: lymph request echo.upper \'{"text": "foo"}\'',
    help="""
    Call a method of a service and print its reply.

    SUBJECT is INTERFACE.METHOD, or INTERFACE.METHOD@VERSION for a version of the interface.

    PARAMS is a JSON object, or - to read one from stdin; or pairs: name=text, name:=json.
    """,
)
@click.argument('subject')
@click.argument('params', nargs=-1)
@click.option(
    '--address',
    '-a',
    metavar='ADDRESS',
    help='Ask this service or endpoint (tcp://HOST:PORT). Default: the interface in SUBJECT.',
)
@click.option(
    '--timeout',
    type=click.FloatRange(min=0, min_open=True),
    metavar='SECONDS',
    help='How long to wait for the reply. Default: container.rpc.timeout.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print the reply as a JSON document.')
@pass_settings
def command(
    settings: Settings,
    subject: str,
    params: tuple[str, ...],
    address: str | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    _run(settings, subject, params, address, timeout, as_json)
