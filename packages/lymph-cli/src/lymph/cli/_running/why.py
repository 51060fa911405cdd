"""Tells why calls to a service fail: one line first, then what it is drawn from."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from click.exceptions import Exit

from lymph.cli._arguments.durations import short_duration
from lymph.cli._arguments.instances import Wanted, parse_wanted
from lymph.cli._program.configuring import node_files
from lymph.cli._running.asking import open_client
from lymph.cli._running.explanation import Explanation, explain
from lymph.cli._running.verdicts import Verdict
from lymph.cli.outcomes import FAILED
from lymph.cli.printing import Printer, line
from lymph.cli.settings import Settings
from lymph.cli.texts import Text
from lymph.core.diagnosis import Answer

__all__ = ['errors_of', 'run']

_TITLES = ('IDENTITY', 'ENDPOINT', 'VERSION', 'AGE', 'HOST', 'A CALL')
_ERRORS = 3  # of each instance


def run(settings: Settings, address: str, as_json: bool) -> None:
    """Print why a call to `address` reaches somebody, or nobody; raises Exit for the latter.

    Raises UsageError for an invalid version, OperationFailed for an identity that nobody has.
    """
    wanted = Wanted(address, text=address) if '://' in address else parse_wanted(address)
    with open_client(settings) as client:
        found = explain(client.container, wanted)
    printer = Printer(settings)
    if as_json:
        printer.json(_facts(found))
    else:
        _print(printer, found, bool(settings.configuration_files() or node_files()))
    if not found.reachable:
        raise Exit(FAILED)


def _print(printer: Printer, found: Explanation, configured: bool) -> None:
    printer.show(line(found.conclusion, 'bold'))
    if found.registry is not None:
        source = '' if configured else ' (no configuration was given)'
        printer.show(line(f'asked: {found.registry}{source}'))
    if found.others:
        printer.show(line(f'services there: {", ".join(found.others)}'))
    if found.verdicts:
        printer.listing(_TITLES, map(_row, found.verdicts))
    for text in _details(found):
        printer.show(line(text))


def _row(verdict: Verdict) -> Sequence[str | Text]:
    instance = verdict.instance
    outcome = ', '.join(reason.short for reason in verdict.reasons)
    return (
        instance.identity or verdict.answer.text('identity') or '',
        instance.endpoint,
        instance.version or '',
        short_duration(time.time() - instance.started) if instance.started else '',
        instance.hostname or '',
        line(f'passed over: {outcome}', 'red') if outcome else 'may go there',
    )


def _details(found: Explanation) -> Iterator[str]:
    """Yield what there is to say of single instances, and their last errors."""
    verdicts = found.verdicts
    for verdict in verdicts:
        where = verdict.instance.endpoint
        # What the first line says is not repeated.
        for reason in verdict.reasons:
            if reason.text not in found.conclusion:
                yield f'{where}: {reason.text}; {reason.advice}'
        for note in verdict.notes:
            yield f'{where}: {note}'
    # Once for each instance, even if it has several versions of the service.
    for endpoint, answer in {v.instance.endpoint: v.answer for v in verdicts}.items():
        for error in errors_of(answer)[-_ERRORS:]:
            age = short_duration(answer.answered - error['time'])
            trace = f'trace {error["trace_id"]}; ' if error['trace_id'] else ''
            yield (
                f'{endpoint}: {error["where"]} failed {age} ago: {error["error"]} ({trace}its log '
                'has the traceback)'
            )


def errors_of(answer: Answer) -> list[dict[str, Any]]:
    """Return the errors in a status that are of the form they have to be, the oldest first."""
    return [
        each
        for each in answer.sequence('errors')
        if isinstance(each, dict)
        and isinstance(each.get('where'), str)
        and isinstance(each.get('error'), str)
        and isinstance(each.get('time'), (int, float))
        and isinstance(each.get('trace_id'), (str, type(None)))
    ]


def _facts(found: Explanation) -> dict[str, Any]:
    return {
        'address': found.address,
        'reachable': found.reachable,
        'conclusion': found.conclusion,
        'registry': found.registry,
        'services': list(found.others),
        'instances': [
            {
                **verdict.instance.serialize(),
                'called': verdict.called,
                'reasons': [reason._asdict() for reason in verdict.reasons],
                'notes': list(verdict.notes),
                'lymph': verdict.answer.text('version'),
                'uptime': verdict.answer.number('uptime'),
                'errors': errors_of(verdict.answer),
            }
            for verdict in found.verdicts
        ],
    }
