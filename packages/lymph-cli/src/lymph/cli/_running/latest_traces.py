"""Lists the latest traces."""

from __future__ import annotations

from lymph.cli._arguments.moments import timestamp
from lymph.cli._display.numbers import count_text
from lymph.cli._display.trace_rows import duration_text, work_text
from lymph.cli._running.asking import open_client
from lymph.cli._running.trace import say_problems
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings
from lymph.core.monitoring.traces import TraceSummary, latest_traces
from lymph.events.null import NullEventSystem

__all__ = ['run']


def run(
    settings: Settings, limit: int, failed: bool, slow: float, timeout: float, as_json: bool
) -> None:
    """Print the traces that began last; raises LookupFailure without a registry."""
    with open_client(settings, events=NullEventSystem()) as client:
        found = latest_traces(client.container, limit, failed=failed, slow=slow, timeout=timeout)
    printer = Printer(settings)
    if as_json:
        printer.json(found)
    elif found.traces:
        printer.listing(
            ['TRACE', 'BEGAN', 'DURATION', 'OUTCOME', 'UNITS', 'FAILED', 'SERVICE', 'WORK'],
            [_cells(each) for each in found.traces],
        )
    elif not found.sources:
        say('no instance is running')
    else:
        say('no traces like that' if failed or slow else 'no traces')
    say_problems(found.sources)


def _cells(each: TraceSummary) -> list[str | Text]:
    return [
        line(each.trace_id, 'bold'),
        timestamp(each.started),
        duration_text(each.total if each.duration is None else each.duration, each.ok),
        line(each.outcome, 'yellow' if each.ok is None else '' if each.ok else 'red'),
        count_text(each.units),
        line(count_text(each.failures), 'red' if each.failures else ''),
        each.service,
        work_text(each.kind, each.name),
    ]
