"""`lymph worker`"""

from __future__ import annotations

from typing import Any

import click

from lymph.cli._commands.instance import instance_options, run
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']


@click.command(
    'worker',
    epilog='Example: lymph worker --config conf/echo.yml',
    help="""
    Run the tasks of the services that a configuration names in `interfaces`.

    It runs the interfaces that have tasks and leaves out the others. Each is registered as
    NAME.worker, and answers no calls but those that every instance answers, such as lymph.status.

    SIGTERM, SIGHUP and Ctrl-C let it finish the tasks that run; the second of them ends it at once,
    and what was cut goes to another worker. The exit code is 0 if nothing was cut.
    """,
)
@instance_options
@pass_settings
def command(settings: Settings, /, **options: Any) -> None:
    """Run `lymph worker`: tasks alone."""
    run(settings, worker=True, **options)
