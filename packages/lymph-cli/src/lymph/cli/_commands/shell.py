"""`lymph shell`"""

from __future__ import annotations

import click

from lymph.cli.completion import services
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.shell:run')


@click.command(
    'shell',
    epilog='Example: lymph shell --remote=echo:5f1c',
    help="""
    Start a Python prompt with a client, or inside of an instance that runs.

    The prompt has client, config and lymph. With --remote it runs in an instance, which needs
    --debug or debug.backdoor_ip, and has container, interfaces, and each interface by its name.
    What is given on stdin is run without a prompt.
    """,
)
@click.option(
    '--remote',
    metavar='NAME[:IDENTITY]',
    shell_complete=services,
    help='Enter an instance of this service, whose identity begins with IDENTITY.',
)
@click.option(
    '--token',
    envvar='LYMPH_BACKDOOR_TOKEN',
    show_envvar=True,
    metavar='TOKEN',
    help='What the instance asks for; not needed for those of this user on this machine.',
)
@click.option(
    '--shell',
    type=click.Choice(['ipython', 'ptpython', 'plain']),
    help='Show this prompt. Default: the first of them that is installed.',
)
@pass_settings
def command(settings: Settings, remote: str | None, token: str | None, shell: str | None) -> None:
    """Run `lymph shell`."""
    _run(settings, remote, token, shell)
