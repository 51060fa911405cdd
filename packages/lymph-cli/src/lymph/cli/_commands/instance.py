"""`lymph instance`"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from lymph.cli.completion import interfaces
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings
from lymph.core.addresses import check_host

__all__ = ['command', 'instance_options', 'run']

Function = TypeVar('Function', bound=Callable[..., Any])

#: runs an instance or a worker: settings, and the fields of `lymph.cli._running.instance:Options`
run = lazy('lymph.monkey:patch', 'lymph.cli._running.instance:run')


def _check_ip(_context: click.Context, _option: click.Parameter, ip: str | None) -> str | None:
    try:
        return None if ip is None else check_host(ip)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def instance_options(function: Function) -> Function:
    """Give a command the options that say where and how it runs."""
    for option in (
        click.option('--pidfile', metavar='PATH', help='Write the process id to PATH.'),
        click.option('--reload', is_flag=True, help='Start again when a source file has changed.'),
        click.option(
            '--debug',
            is_flag=True,
            help='Let `lymph shell --remote` in, and debug HTTP errors, from this machine.',
        ),
        click.option(
            '--isolated', is_flag=True, help='Do not register: only who has the address calls.'
        ),
        click.option(
            '--interface',
            multiple=True,
            metavar='NAME',
            shell_complete=interfaces,
            help='Run this one of the configured interfaces; may be given again. Default: all.',
        ),
        click.option(
            '--port',
            type=click.IntRange(0, 65535),
            help='Listen on this port. Default: container.port, or any that is free.',
        ),
        click.option(
            '--guess-external-ip',
            is_flag=True,
            help='Listen on the address that the default route leaves from.',
        ),
        click.option(
            '--ip',
            callback=_check_ip,
            help='Listen on this address. Default: container.ip, or 127.0.0.1.',
        ),
    ):
        function = option(function)
    return function


@click.command(
    'instance',
    epilog='Example: lymph instance --config conf/echo.yml',
    help="""
    Run one instance of the services that a configuration names in `interfaces`.

    SIGTERM, SIGHUP and Ctrl-C let it finish what it is doing; the second of them ends it at once.
    The exit code is 0 if nothing was cut. SIGUSR1 shows what it does just now.
    """,
)
@instance_options
@pass_settings
def command(settings: Settings, /, **options: Any) -> None:
    """Run `lymph instance`: RPC, HTTP and events, but no tasks."""
    run(settings, worker=False, **options)
