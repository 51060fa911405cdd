"""`lymph queues`"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from lymph.cli._program.groups import Group
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_PATCH = 'lymph.monkey:patch'
_list = lazy(_PATCH, 'lymph.cli._running.queues:run_list')
_drop = lazy(_PATCH, 'lymph.cli._running.dropping:run_drop')

_json = click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')


def _filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what says which queues it is to list, and how."""
    for option in (
        _json,
        click.option('--waiting', is_flag=True, help='Only those in which events wait.'),
        click.option('--unconsumed', is_flag=True, help='Only those that nobody consumes.'),
        click.option(
            '--queue',
            'patterns',
            multiple=True,
            metavar='NAME',
            help='Only queues of this name; * and ? as in file names. May be given again.',
        ),
    ):
        function = option(function)
    return function


@click.group(
    'queues',
    cls=Group,
    invoke_without_command=True,
    epilog='Example: lymph queues --unconsumed --waiting',
    help="""
    List the queues of the event system, and drop those that nobody needs any more.

    A queue goes on collecting events when its handler was renamed or its service is gone. What the
    event system cannot tell is `-`, in JSON null.
    """,
)
@_filters
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:
    """List queues, unless a subcommand is given; raises UsageError for options before one."""
    if context.invoked_subcommand is None:
        _list(context.ensure_object(Settings), **given)
    elif any(given.values()):
        context.fail(f'options stand behind {context.invoked_subcommand}, not before it')


@command.command(
    'list',
    epilog='Example: lymph queues list --queue "shop.*"',
    help="""
    List queues, sorted by name, as `lymph queues` alone does.

    The age of the oldest event is in seconds in JSON; bytes are those of the events that wait.
    """,
)
@_filters
@pass_settings
def _list_command(settings: Settings, /, **given: Any) -> None:
    _list(settings, **given)


@command.command(
    'drop',
    epilog='Example: lymph queues drop shop.on_order',
    help="""
    Delete queues with all events in them, for good.

    Queues with consumers are refused, unless --force says otherwise; consumers that go on running
    declare their queue again. Dead letters stay; `lymph dlq drop --queue NAME` drops them.
    """,
)
@_json
@click.option('--dry-run', is_flag=True, help='Only tell what would be dropped.')
@click.option('--force', 'forced', is_flag=True, help='Drop queues with consumers, too.')
@click.option('--yes', '-y', is_flag=True, help='Do not ask.')
@click.argument('names', nargs=-1, required=True, metavar='NAME...')
@pass_settings
def _drop_command(settings: Settings, /, **given: Any) -> None:
    _drop(settings, **given)
