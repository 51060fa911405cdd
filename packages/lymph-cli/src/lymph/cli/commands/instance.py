"""`lymph instance`"""

from __future__ import annotations

import click

from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli.running.instance:run')


@click.command('instance', epilog='Example: lymph instance --config conf/echo.yml')
@click.option('--ip', help='Listen on this address. Default: container.ip, or 127.0.0.1.')
@click.option(
    '--port',
    type=click.IntRange(0, 65535),
    help='Listen on this port. Default: container.port, or any that is free.',
)
@click.option('--reload', is_flag=True, help='Start again when a source file has changed.')
@pass_settings
def command(settings: Settings, ip: str | None, port: int | None, reload: bool) -> None:
    """Run one instance of the services that a configuration names in `interfaces`.

    SIGTERM and Ctrl-C let it finish what it is doing; the second of them ends it at once. The exit
    code is 0 if nothing was cut.
    """
    _run(settings, ip, port, reload)
