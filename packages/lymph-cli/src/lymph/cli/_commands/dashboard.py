"""`lymph dashboard`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings
from lymph.core.addresses import check_host

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.dashboard:run')


def _check_host(_context: click.Context, _option: click.Parameter, host: str) -> str:
    try:
        return check_host(host)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command(
    'dashboard',
    epilog='Example: lymph dashboard --read-only',
    help="""
    Serve a page that shows services, queues, logs and traces, and calls methods.

    Prints the URL of the page when it is ready. The URL has a token, which is new each time:
    whoever has it may do what the page does. Needs lymph-web.
    """,
)
@click.option(
    '--port',
    type=click.IntRange(0, 65535),
    help='Listen on this port; 0: any free one. Default: 8900, or any if that is taken.',
)
@click.option(
    '--host',
    default='127.0.0.1',
    show_default=True,
    callback=_check_host,
    help='Listen on this address.',
)
@click.option('--read-only', is_flag=True, help='Show everything, but call and change nothing.')
@click.option('--open', 'opens', is_flag=True, help='Open the page in a browser.')
@pass_settings
def command(settings: Settings, port: int | None, host: str, read_only: bool, opens: bool) -> None:
    """Run `lymph dashboard`."""
    _run(settings, port, host, read_only, opens)
