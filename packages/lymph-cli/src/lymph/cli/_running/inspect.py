"""Prints what a service offers, as one of its instances describes it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

from lymph.cli._arguments.instances import Wanted, find_instances, parse_wanted
from lymph.cli._display.descriptions import Description, Fact, read_description
from lymph.cli._running.asking import open_client
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line, lines
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.exceptions import RpcError

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
    that fits. With `everything`, print all that the instance has. Raises RpcError if nobody
    describes it, OperationFailed if what describes it is of another form or the identity is not
    that of one instance, UsageError for an invalid version.
    """
    wanted = None if '://' in address else parse_wanted(address)
    with open_client(settings) as client:
        description = read_description(_ask(client, address, wanted))
    if everything:
        shown = description.chosen(lambda interface, version: True)
    elif wanted is None:
        shown = description.chosen(lambda interface, version: interface != _BUILTIN)
    else:
        shown = description.of_service(wanted.name, wanted.version)
    printer = Printer(settings)
    if as_json:
        printer.json(shown._asdict())
        return
    if not (shown.methods or shown.events or shown.tasks):
        say(f'{address} offers no methods; --all shows what every instance has')
    _print(printer, shown)
    if description.events is None:
        say('only methods are known: the instance has an older version of lymph')


def _ask(client: Client, address: str, wanted: Wanted | None) -> Any:
    """Return the answer of one of those that are meant; raises RpcError if none gives one."""
    registry = client.container.registry
    if wanted is None:
        return client.request(address, 'lymph.inspect')
    if wanted == Wanted(wanted.name, text=wanted.text):
        return client.request(wanted.name, 'lymph.inspect')
    error: RpcError | None = None
    for instance in find_instances(registry, wanted):
        try:
            # At its endpoint: the interface that answers this has no version.
            return client.request(instance.endpoint, 'lymph.inspect')
        except RpcError as failure:
            error = failure
    assert error is not None  # there is one at least
    raise error


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
    marks = [name for name in _MARKS if fact.get(name)]
    if marks:
        yield ', '.join(marks)
