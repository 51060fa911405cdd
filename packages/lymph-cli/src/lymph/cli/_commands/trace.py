"""`lymph trace`"""

from __future__ import annotations

import click

from lymph.cli._arguments.seconds import Seconds
from lymph.cli.completion import traces
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings, pass_settings

__all__ = ['command']

_run = lazy('lymph.monkey:patch', 'lymph.cli._running.trace:run')
_run_latest = lazy('lymph.monkey:patch', 'lymph.cli._running.latest_traces:run')

_EXAMPLES = """\b
Examples:
  lymph trace order-17 --wait 10s
  lymph trace --failed
  lymph trace --slow 500ms --limit 5
"""
_LONGEST = 86400  # seconds
_MOST = 200  # traces; `lymph.recent` tells no more


@click.command(
    'trace',
    epilog=_EXAMPLES,
    help="""
    Show what happened to one trace in all instances, or list the latest traces.

    Every instance remembers its last units of work: HTTP requests, calls, events and tasks. With an
    ID, what they remember of this trace is shown as a tree: when each unit began, how long it took,
    how it ended, and which instance did it. What has not ended yet is there too. A call and the
    work of the service that answers it are one line. Responses of HTTP have the id of their trace
    in X-Trace-Id, errors and log lines name it, and `lymph request -v` prints it.

    Without an ID, the traces that began last are listed.

    Instances that do not answer are named on stderr. The exit code is 1 if nothing is known of the
    trace: no instance had to do with it, or later work has taken its place
    (container.trace.keep).
    """,
)
@click.argument('trace_id', metavar='[ID]', required=False, shell_complete=traces)
@click.option(
    '--wait',
    type=Seconds(_LONGEST),
    metavar='TIME',
    help='Wait until the trace is known and nothing of it is running any more, up to this time.',
)
@click.option('--failed', is_flag=True, help='List only traces in which something failed.')
@click.option(
    '--slow',
    type=Seconds(_LONGEST),
    metavar='TIME',
    help='List only traces in which something took so long: seconds, or 500ms, 5min.',
)
@click.option(
    '--limit',
    type=click.IntRange(1, _MOST),
    metavar='N',
    help='List at most N traces. Default: 20.',
)
@click.option(
    '--timeout',
    type=Seconds(_LONGEST),
    default=1.0,
    metavar='TIME',
    help='How long each instance may take to answer. Default: 1s.',
)
@click.option('--json', 'as_json', is_flag=True, help='Print a JSON document.')
@pass_settings
def command(
    settings: Settings,
    trace_id: str | None,
    wait: float | None,
    failed: bool,
    slow: float | None,
    limit: int | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Run `lymph trace`; raises UsageError for options that do not belong together."""
    if trace_id is None:
        if wait is not None:
            raise click.UsageError('--wait is for one trace: lymph trace ID --wait 10s')
        _run_latest(settings, limit or 20, failed, slow or 0.0, timeout, as_json)
        return
    if failed or slow is not None or limit is not None:
        raise click.UsageError('--failed, --slow and --limit are for the list, without an ID')
    _run(settings, trace_id, wait or 0.0, timeout, as_json)
