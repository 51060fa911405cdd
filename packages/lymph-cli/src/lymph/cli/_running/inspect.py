"""Prints what a service offers, in each of its versions."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from click.exceptions import Exit

from lymph.cli._arguments.instances import parse_wanted
from lymph.cli._display.descriptions import Description, Fact
from lymph.cli._display.schemas import type_lines
from lymph.cli._running.asking import open_client
from lymph.cli._running.describing import ask_endpoint, ask_service
from lymph.cli.outcomes import FAILED
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line, lines
from lymph.cli.settings import Settings
from lymph.core.failures import error_text

__all__ = ['run']

#: Characters of a documentation that are shown.
_LONGEST = 64_000
#: The interface that every instance has.
_BUILTIN = 'lymph'
#: Marks of handlers and tasks that are told if they are set.
_MARKS = ('idempotent', 'raw', 'sequential', 'broadcast', 'once')


def run(settings: Settings, address: str, everything: bool, as_json: bool) -> None:
    """Print what a service offers, or the instance at an endpoint.

    A service named with a version, or the beginning of an identity, is described by an instance
    that fits. With `everything`, print all that the instances have. Raises RpcError if nobody
    describes it, OperationFailed if what describes it is of another form or the identity is not
    that of one instance, UsageError for an invalid version, Exit if a version has no description.
    """
    wanted = None if '://' in address else parse_wanted(address)
    with open_client(settings) as client:
        answers = ask_endpoint(client, address) if wanted is None else ask_service(client, wanted)
    description = answers.description
    if everything:
        shown = description.chosen(lambda interface, version: True)
    elif wanted is None:
        shown = description.chosen(lambda interface, version: interface != _BUILTIN)
    else:
        shown = description.of_service(wanted.name, wanted.version)
    printer = Printer(settings)
    if as_json:
        printer.json(shown._asdict())
    else:
        if not (shown.methods or shown.events or shown.tasks):
            say(f'{address} offers no methods; --all shows what every instance has')
        _print(printer, shown)
        if description.events is None:
            say('only methods are known: the instance has an older version of lymph')
    if answers.missing:
        for version, error in answers.missing.items():
            which = f'version {version}' if version else 'instances without a version'
            say(f'{address}: no description of {which}: {error_text(error)}')
        raise Exit(FAILED)


def _print(printer: Printer, shown: Description) -> None:
    for interface in shown.interfaces or ():
        if interface['help']:
            _show(printer, 'interface ', interface, '')
    for method in shown.methods:
        _show(printer, '', method, _signature(method))
    for event in shown.events or ():
        _show(printer, 'event ', event, '')
    for task in shown.tasks or ():
        _show(printer, 'task ', task, _signature(task))


def _show(printer: Printer, kind: str, fact: Fact, signature: str) -> None:
    version = f'@{fact["version"]}' if fact['version'] else ''
    printer.show(
        Text.assemble(line(kind), line(fact['name'], 'bold'), line(version), line(signature))
    )
    if fact['help']:
        printer.indented(lines(inspect.cleandoc(fact['help'][:_LONGEST])))
    for detail in _details(fact):
        printer.show(line(f'    {detail}'))
    printer.show(line(''))


def _signature(fact: Fact) -> str:
    params = [*(fact.get('params') or ()), *(['**'] if fact.get('takes_any') else [])]
    returns = fact.get('returns')
    return f'({", ".join(params)})' + (f' -> {returns}' if returns else '')


def _details(fact: Fact) -> Iterator[str]:
    """Yield what is worth a line besides signature and documentation."""
    for name, label in (('types', 'topics'), ('raises', 'raises')):
        if fact.get(name):
            yield f'{label}: {", ".join(fact[name])}'
    for name in ('queue', 'retry', 'partitions'):
        if fact.get(name):
            yield f'{name}: {fact[name]}'
    for text in type_lines(fact):
        yield f'type {text}'
    if fact.get('schema_problem'):
        yield f'schema: {fact["schema_problem"]}'
    marks = [name for name in _MARKS if fact.get(name)]
    if marks:
        yield ', '.join(marks)
