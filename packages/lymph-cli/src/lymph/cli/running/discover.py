"""Lists the services that are running now."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line
from lymph.cli.running.asking import open_client
from lymph.cli.settings import Settings
from lymph.cli.subjects import parse_service
from lymph.core.addresses import join_address
from lymph.core.container import ServiceContainer
from lymph.core.services import ServiceInstance
from lymph.core.versioning import Version
from lymph.discovery.base import HTTP, RPC
from lymph.exceptions import LookupFailure

__all__ = ['run']

_Services = dict[str, list[ServiceInstance]]


def run(settings: Settings, names: Sequence[str], instances: bool, as_json: bool) -> None:
    """Print the services, or those that are named, of a version if the name has one.

    Raises LookupFailure if one of these is away, UsageError for an invalid version.
    """
    wanted = {name: parse_service(name) for name in names}
    with open_client(settings) as client:
        found = _find(client.container, wanted)
    printer = Printer(settings)
    if as_json:
        printer.json(
            {name: [each.serialize() for each in members] for name, members in found.items()}
        )
    elif not found:
        say('no service is running')
    for name, members in {} if as_json else found.items():
        count = f'{len(members)} instance{"" if len(members) == 1 else "s"}'
        printer.show(Text.assemble(line(name, 'bold'), f'  {count}'))
        if instances:
            printer.table(_rows(members))


def _find(
    container: ServiceContainer, wanted: Mapping[str, tuple[str, Version | None]]
) -> _Services:
    """Return instances by what was asked for, or all by their services."""
    spaces = {space: container.discover(space) for space in (RPC, HTTP)}
    found: _Services = {}
    every = {name: (name, None) for name in sorted(set().union(*spaces.values()))}
    for asked, (name, version) in (wanted or every).items():
        missing: LookupFailure | None = None
        members: dict[str, ServiceInstance] = {}
        for space in [space for space in spaces if name in spaces[space]] or [RPC]:
            try:
                service = container.registry.get(name, space)
                # Without a version all are shown, not only those that serve calls without one.
                matching = service if version is None else service.match(version)
                members |= {each.key: each for each in matching}
                missing = service.lacks(version)
            except LookupFailure:
                # One that has left since it was seen is no failure, unless it was asked for.
                if wanted:
                    raise
        if members:
            found[asked] = sorted(members.values(), key=lambda each: (each.started or 0, each.key))
        elif version is not None and missing is not None:
            raise missing
    return found


def _rows(members: Sequence[ServiceInstance]) -> Iterator[Sequence[Text]]:
    rows = [
        (
            f'  {each.identity}',
            each.endpoint,
            f'http://{join_address(each.ip or "", each.http_port)}' if each.http_port else '',
            f'version {each.version}' if each.version else '',
            f'pid {each.pid}' if each.pid else '',
            each.hostname or '',
            f'up {_duration(time.time() - each.started)}' if each.started else '',
        )
        for each in members
    ]
    # What is known of no instance takes no room.
    columns = [column for column in zip(*rows, strict=True) if any(column)]
    for row in zip(*columns, strict=True):
        yield tuple(map(line, row))


def _duration(seconds: float) -> str:
    """Return a duration in its largest unit: `42 s`, `3 min`, `5 h`, `2 d`."""
    seconds = max(seconds, 0)
    for unit, length in (('d', 86400), ('h', 3600), ('min', 60)):
        if seconds >= length:
            return f'{int(seconds // length)} {unit}'
    return f'{int(seconds)} s'
