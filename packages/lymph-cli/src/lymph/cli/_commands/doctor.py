"""`lymph doctor`"""

from __future__ import annotations

import click

from lymph.cli._arguments.seconds import Seconds
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings
from lymph.config.plugins import installed

__all__ = ['GROUP', 'command']

#: The entry-point group of checks; see `lymph.core.diagnosis`.
GROUP = 'lymph.doctor'

_LONGEST = 3600  # seconds

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.doctor:run')


def _offer_checks(context: click.Context, param: click.Parameter, word: str) -> list[str]:
    given = context.params.get('names') or ()
    return [name for name in installed(GROUP) if name.startswith(word) and name not in given]


@click.command(
    'doctor',
    epilog='Example: lymph doctor -c conf/shop.yml',
    help="""
    Look for what is wrong with the configuration, this machine and all instances.

    It asks the registry, the event system and everybody who is registered, and repairs nothing.
    Each fault is a line: what was expected, what was found, what to do. CHECK is the name of a
    check, to run that alone; without one all run, those of other distributions too. Exit code 0 if
    nothing was found, 1 otherwise.
    """,
)
@click.argument('names', nargs=-1, metavar='[CHECK]...', shell_complete=_offer_checks)
@click.option(
    '--timeout',
    type=Seconds(_LONGEST),
    default=20.0,
    metavar='TIME',
    help='How long a check may take: seconds, or 500ms, 5min. Default: 20.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')
@pass_settings
def command(settings: Settings, names: tuple[str, ...], timeout: float, as_json: bool) -> None:
    """Run `lymph doctor`."""
    _run(settings, names, timeout, as_json)
