"""Lists the services that are running now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from lymph.cli._arguments.instances import parse_wanted
from lymph.cli._arguments.moments import timestamp
from lymph.cli._arguments.subjects import version_order
from lymph.cli._display.columns import EMPTY
from lymph.cli._running.asking import open_client
from lymph.cli._running.members import OK, Member, oldest
from lymph.cli._running.services import Found, ask_members, find_members
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings

__all__ = ['View', 'run']


class View(NamedTuple):
    """What is to be shown of services: a row for each, for each version or instance, or all."""

    instances: bool = False
    versions: bool = False
    full: bool = False
    everything: bool = False
    health: bool = True


def run(settings: Settings, names: Sequence[str], as_json: bool, **shown: bool) -> None:
    """Print the services, or what is named: services, versions of them, instances.

    `shown` are the fields of a View. Raises LookupFailure if one of these is away, OperationFailed
    if an identity is not that of one instance, UsageError for what names nothing.
    """
    view = View(**shown)
    wanted = [parse_wanted(name) for name in dict.fromkeys(names)]
    with open_client(settings) as client:
        found = find_members(client.container, wanted, everything=view.everything)
        if view.health:
            found = ask_members(client.container, found)
    printer = Printer(settings)
    if as_json:
        printer.json({name: [each.facts() for each in members] for name, members in found.items()})
    elif not found:
        say('no service is running')
    elif view.full:
        _print_full(printer, found, view)
    elif view.instances:
        _print_instances(printer, found, view)
    else:
        _print_services(printer, found, view)


def _print_services(printer: Printer, found: Found, view: View) -> None:
    titles = ['SERVICE', 'INSTANCES', 'HEALTHY', 'AGE']
    if view.versions:
        titles.insert(1, 'VERSION')
    if view.everything:
        titles.insert(1, 'NAMESPACES')
    printer.listing(
        titles,
        [
            _service_row(name, version, members, view)
            for name, every in found.items()
            for version, members in (_by_version(every) if view.versions else [('', every)])
        ],
    )


def _service_row(
    name: str, version: str, members: Sequence[Member], view: View
) -> list[str | Text]:
    spaces = dict.fromkeys(space for each in members for space in each.namespaces)
    healthy = sum(each.health == OK for each in members)
    # With --no-health nobody was asked, and the cell stays empty.
    known = any(each.health is not None for each in members)
    return [
        line(name, 'bold'),
        *([','.join(spaces)] if view.everything else []),
        *([version] if view.versions else []),
        str(len(members)),
        line(str(healthy) if known else '', '' if healthy == len(members) else 'red'),
        oldest(members),
    ]


def _by_version(members: Sequence[Member]) -> Iterator[tuple[str, list[Member]]]:
    versions = {each.instance.version for each in members} or {None}
    for version in sorted(versions, key=version_order):
        yield version or '', [each for each in members if each.instance.version == version]


def _print_instances(printer: Printer, found: Found, view: View) -> None:
    titles = ['SERVICE', 'IDENTITY', 'VERSION', 'ENDPOINT', 'HTTP', 'HEALTH', 'AGE']
    if view.everything:
        titles.insert(1, 'NAMESPACES')
    printer.listing(
        titles,
        [
            [
                line(name, 'bold'),
                *([','.join(each.namespaces)] if view.everything else []),
                each.instance.identity,
                each.instance.version or '',
                each.instance.endpoint,
                each.http,
                line(each.health or '', '' if each.health in (OK, None) else 'red'),
                oldest([each]),
            ]
            for name, members in found.items()
            for each in _ordered(members, view)
        ],
    )


def _ordered(members: Sequence[Member], view: View) -> Sequence[Member]:
    if view.versions:
        return sorted(members, key=lambda each: version_order(each.instance.version))
    return members


def _print_full(printer: Printer, found: Found, view: View) -> None:
    for name, members in found.items():
        for each in _ordered(members, view):
            facts = {'service': name, **each.facts(), 'age': oldest([each])}
            facts['namespaces'] = ','.join(each.namespaces)
            if each.instance.started is not None:
                facts['started'] = timestamp(each.instance.started)
            printer.table(
                [(line(key, 'bold'), line(_cell(value))) for key, value in facts.items()],
                wrap=False,
            )
            printer.show(line(''))


def _cell(value: Any) -> str:
    return EMPTY if value in (None, '') else str(value)
