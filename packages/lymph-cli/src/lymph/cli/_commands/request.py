"""`lymph request`"""

from __future__ import annotations

from typing import Any

import click

from lymph.cli._arguments.seconds import Seconds
from lymph.cli.completion import parameters, services, subjects
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.request:run')

_EXAMPLES = """\b
Examples:
  lymph request echo.upper text=foo
  lymph request echo.upper@1.2 '{"text": "foo"}' --timeout 5
  lymph request orders.place - id:=17 < order.json
  lymph request echo.upper text=foo -a tcp://10.0.0.7:4123 -v
  lymph request echo.upper text=foo -N 100000 -C 64
  lymph request echo.upper text=foo -C 8 --duration 30s --json
"""
_LONGEST = 7 * 86400  # seconds that a call may take, or a load
_MOST_CALLERS = 10_000


@click.command(
    'request',
    epilog=_EXAMPLES,
    help="""
    Call a method of a service and print its reply.

    SUBJECT is INTERFACE.METHOD, or INTERFACE.METHOD@VERSION for a version of the interface.

    PARAMS is a JSON object, or - to read one from stdin; or pairs, name=text and name:=json, which
    replace the members of an object.

    With -N, -C or --duration the call is made many times, and what is printed is how many calls
    ended in which way and how long they took: at the end, or when Ctrl-C is pressed. All of them
    have the same trace id. The exit code is 1 if one of them failed.
    """,
)
@click.argument('subject', shell_complete=subjects)
@click.argument('params', nargs=-1, shell_complete=parameters)
@click.option(
    '--address',
    '-a',
    metavar='ADDRESS',
    shell_complete=services,
    help='Call an endpoint (tcp://HOST:PORT, the registry is not asked), another service, or an '
    'instance (NAME:IDENTITY, the beginning is enough). Default: the interface in SUBJECT.',
)
@click.option(
    '--timeout',
    type=Seconds(_LONGEST),
    metavar='TIME',
    help='How long to wait for a reply: seconds, or 500ms, 5min. Default: container.rpc.timeout.',
)
@click.option(
    '--trace-id', metavar='ID', help='Call with this trace id. Default: a new one; -v shows it.'
)
@click.option(
    '--verbose', '-v', is_flag=True, help='Say the trace id on stderr first, for `lymph trace`.'
)
@click.option(
    '--dump-headers', is_flag=True, help='Show the headers of request and reply on stderr.'
)
@click.option(
    '--requests',
    '-N',
    type=click.IntRange(min=1),
    metavar='N',
    help='Make N calls. Default for a load without --duration: 1000.',
)
@click.option(
    '--concurrency',
    '-C',
    type=click.IntRange(1, _MOST_CALLERS),
    metavar='C',
    help='Make up to C calls at a time. Default: 1.',
)
@click.option(
    '--duration',
    type=Seconds(_LONGEST),
    metavar='TIME',
    help='Begin calls for this time: seconds, or 30s, 5min.',
)
@click.option(
    '--json', 'as_json', is_flag=True, help='Print the reply, or all figures, as a JSON document.'
)
@pass_settings
def command(settings: Settings, /, subject: str, params: tuple[str, ...], **options: Any) -> None:
    """Run `lymph request`."""
    _run(settings, subject, params, **options)
