"""Lists the subcommands; one that cannot be loaded is listed with its reason."""

from __future__ import annotations

from collections.abc import Sequence

import click

from lymph.cli._program.groups import SUMMARY
from lymph.cli._program.program import BrokenCommand, program
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings

__all__ = ['run']


def run(settings: Settings, as_json: bool) -> None:
    """Print all subcommands with what they do."""
    commands = program.described()
    printer = Printer(settings)
    if as_json:
        printer.json([_facts(name, command) for name, command in commands.items()])
        return
    printer.table(_row(name, command) for name, command in commands.items())


def _row(name: str, command: click.Command) -> Sequence[Text]:
    style = 'red' if isinstance(command, BrokenCommand) else ''
    return line(name, f'bold {style}'), line(command.get_short_help_str(SUMMARY), style)


def _facts(name: str, command: click.Command) -> dict[str, object]:
    if isinstance(command, BrokenCommand):
        return {'name': name, 'help': None, 'broken': command.error.text}
    return {'name': name, 'help': command.get_short_help_str(SUMMARY), 'broken': None}
