"""`lymph dlq`"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from lymph.cli._arguments.filters import Filters, filter_options
from lymph.cli._program.groups import Group
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_PATCH = 'lymph.monkey:patch'
_list = lazy(_PATCH, 'lymph.cli._running.dead_letters:run_list')
_show = lazy(_PATCH, 'lymph.cli._running.dead_letters:run_show')
_replay = lazy(_PATCH, 'lymph.cli._running.settling:replay')
_drop = lazy(_PATCH, 'lymph.cli._running.settling:drop')

_json = click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')


def _choosing(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command what says which dead letters it is to settle."""
    for option in (
        _json,
        click.option('--dry-run', is_flag=True, help='Only count what would be done.'),
        click.option(
            '--limit',
            type=click.IntRange(min=0),
            default=0,
            metavar='N',
            help='At most N, the oldest first; 0: all.',
        ),
        click.option('--all', 'everything', is_flag=True, help='All dead letters there are.'),
        filter_options,
        click.argument('ids', nargs=-1, metavar='[ID]...'),
    ):
        function = option(function)
    return function


@click.group(
    'dlq',
    cls=Group,
    no_args_is_help=False,
    epilog='Example: lymph dlq replay --queue shop.on_order --since 2h',
    help="""
    Look at the dead letters, the events that were given up, and settle them.

    With RabbitMQ, each look takes all dead letters out of their queue and puts them back at its
    end. Nothing is lost by that, also when it is interrupted, but meanwhile another look does not
    find them; and it has to be over within the broker's consumer_timeout, 30 minutes by default.
    """,
)
def command() -> None:
    """Group the subcommands of `lymph dlq`."""


@command.command(
    'list',
    epilog='Example: lymph dlq list --type "order.*" --error timeout',
    help='List dead letters, the oldest first.',
)
@filter_options
@click.option(
    '--limit',
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    metavar='N',
    help='At most N, the oldest first; 0: all.',
)
@_json
@pass_settings
def _list_command(settings: Settings, filters: Filters, limit: int, as_json: bool) -> None:
    _list(settings, filters, limit, as_json)


@command.command(
    'show',
    epilog='Example: lymph dlq show 42',
    help="""
    Show all that is known of dead letters: body, headers, error, attempts, times.

    The beginning of an ID is enough if no other begins with it.
    """,
)
@click.argument('ids', nargs=-1, required=True, metavar='ID...')
@_json
@pass_settings
def _show_command(settings: Settings, ids: tuple[str, ...], as_json: bool) -> None:
    _show(settings, ids, as_json)


@command.command(
    'replay',
    epilog='Example: lymph dlq replay --queue shop.on_order',
    help="""
    Put events back into the queues that gave them up, to be handled as if they were new.

    The beginning of an ID is enough if no other begins with it; numbers have to be whole. The
    events
    keep their id, their headers and their trace id; attempts are counted from 1 again. What is
    interrupted loses nothing, but a few may then be both replayed and still there. Dead letters
    whose queue is gone stay, and the exit code is 1.
    """,
)
@_choosing
@pass_settings
def _replay_command(settings: Settings, /, **choice: Any) -> None:
    _replay(settings, **choice)


@command.command(
    'drop',
    epilog='Example: lymph dlq drop --older 30d',
    help="""
    Forget dead letters for good.

    The beginning of an ID is enough if no other begins with it; numbers have to be whole.
    """,
)
@_choosing
@click.option('--yes', '-y', is_flag=True, help='Do not ask.')
@pass_settings
def _drop_command(settings: Settings, /, yes: bool, **choice: Any) -> None:
    _drop(settings, yes=yes, **choice)
