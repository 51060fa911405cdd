"""Looks for what is wrong with the configuration, this machine and the fleet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click
from click.exceptions import Exit

from lymph.cli._commands.doctor import GROUP
from lymph.cli._running.examination import Outcome, examine, load_checks
from lymph.cli._running.stacks import show_greenlets
from lymph.cli._running.stopping import interrupts_heard
from lymph.cli._running.surroundings import Scene
from lymph.cli.outcomes import FAILED
from lymph.cli.printing import Printer, line
from lymph.cli.settings import Settings
from lymph.cli.texts import Text
from lymph.config.plugins import installed
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name

__all__ = ['run']


def run(settings: Settings, names: Sequence[str], timeout: float, as_json: bool) -> None:
    """Run all checks, or those that are named, and print what they found.

    Raises Exit when that is anything, or when one of them failed; UsageError for an unknown name.
    """
    plugins = installed(GROUP)
    for name in names:
        if name not in plugins:
            close = close_name(name, plugins)
            advice = f'did you mean {close!r}?' if close else f'there are {", ".join(plugins)}'
            raise click.UsageError(f'no check {quoted(name)}; {advice}')
    show_greenlets()
    with interrupts_heard():
        checks, outcomes = load_checks({name: plugins[name] for name in names or plugins})
        scene = Scene(settings)
        try:
            outcomes += examine(checks, scene, timeout)
        finally:
            scene.close()
    outcomes.sort(key=lambda outcome: outcome.name)
    printer = Printer(settings)
    if as_json:
        printer.json(_facts(outcomes))
    else:
        _print(printer, outcomes)
    if any(outcome.state in ('found', 'failed') for outcome in outcomes):
        raise Exit(FAILED)


def _print(printer: Printer, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        for finding in outcome.findings:
            printer.show(Text.assemble(line(outcome.name, 'bold red'), ': ', line(str(finding))))
    for outcome in outcomes:
        # What it found before it failed is above; it is in neither of the lists below.
        if outcome.state == 'failed':
            name = line(outcome.name, 'bold red')
            printer.show(Text.assemble(name, ': the check failed: ', line(outcome.reason)))
    count = sum(len(outcome.findings) for outcome in outcomes)
    printer.show(line(_counted(count), 'bold'))
    checked = [each for each in outcomes if each.state in ('found', 'sound')]
    if checked:
        printer.show(line('checked:'))
        printer.table((line(f'  {each.name}'), line(each.about)) for each in checked)
    skipped = [each for each in outcomes if each.state == 'not checked']
    if skipped:
        printer.show(line('not checked:'))
        printer.table((line(f'  {each.name}'), line(each.reason)) for each in skipped)


def _counted(count: int) -> str:
    if not count:
        return 'nothing found'
    return f'{count} fault{"" if count == 1 else "s"} found'


def _facts(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    return {
        'findings': [
            {'check': outcome.name, **asdict(finding)}
            for outcome in outcomes
            for finding in outcome.findings
        ],
        'checks': [
            {
                'name': outcome.name,
                'about': outcome.about,
                'state': outcome.state,
                'reason': outcome.reason or None,
            }
            for outcome in outcomes
        ],
    }
