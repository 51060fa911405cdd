"""Which listening sockets the processes of a node are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lymph.cli._running.ports import FixedPort, fixed_ports
from lymph.config import ConfigurationError, Location
from lymph.core.addresses import is_wildcard
from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.socket_definitions import SocketDefinition

__all__ = ['sockets_of']

_Sockets = Mapping[str, Sequence[SocketDefinition]]


def sockets_of(
    definitions: Sequence[Definition],
    named: Mapping[str, SocketDefinition],
    environ: Mapping[str, str],
    before: _Sockets | None = None,
) -> dict[str, list[SocketDefinition]]:
    """Return the sockets that the processes of each definition are given, by its name.

    Those are the ones it names, those of `named` that are at one of its ports, and one for each
    other port; for one that names an empty list, none. `environ` is the environment of all
    processes; `before` is what this function returned the last time, for a definition whose files
    cannot be read now.

    Raises ConfigurationError for a socket that nobody uses, and for a port that processes could
    only share with those of another definition.
    """
    wanted = {each.name: list(each.sockets or ()) for each in definitions}
    found: list[tuple[Definition, SocketDefinition]] = []
    for definition in definitions:
        if definition.sockets == ():
            continue
        mine = wanted[definition.name]
        ports = fixed_ports(definition, environ)
        if ports is None:
            had = (before or {}).get(definition.name, ())
            found += [(definition, each) for each in had if each.found]
            continue
        for port in ports:
            if port.host is None or any(each.port == port.number for each in mine):
                continue
            known = [each for each in named.values() if each.is_at(port.host, port.number)]
            mine += known
            if not known and (port.shared or definition.numprocesses == 1):
                found.append((definition, _socket_at(port, port.host)))
    for definition, each in found:
        if _is_alone(definition, each, found):
            wanted[definition.name].append(each)
    _expect_all_used(named, wanted)
    for definition in definitions:
        if not definition.numprocesses:  # nobody may connect before there is a process
            made = wanted[definition.name]
            wanted[definition.name] = [replace(each, found=True) for each in made]
    return wanted


def _socket_at(port: FixedPort, host: str) -> SocketDefinition:
    return SocketDefinition(port.where.key, host, port.number, port.where, found=True)


def _is_alone(
    definition: Definition,
    socket: SocketDefinition,
    found: Sequence[tuple[Definition, SocketDefinition]],
) -> bool:
    """Tell whether nobody else wants the address; raises ConfigurationError if it is shared."""
    others = [other for other, each in found if each is not socket and _clash(each, socket)]
    if others and definition.numprocesses > 1:
        raise ConfigurationError(
            f'{definition.numprocesses} processes of {definition.name} cannot share {socket} '
            f'({socket.where}): {others[0].name} has it, too; choose another port',
            definition.where,
        )
    return not others


def _clash(one: SocketDefinition, other: SocketDefinition) -> bool:
    """Tell whether only one of two sockets can listen."""
    everywhere = is_wildcard(one.host) or is_wildcard(other.host)
    return one.is_at(other.host, other.port) or (one.port == other.port and everywhere)


def _expect_all_used(named: Mapping[str, SocketDefinition], wanted: _Sockets) -> None:
    used = {each.name for sockets in wanted.values() for each in sockets}
    for name, each in named.items():
        if name not in used:
            raise ConfigurationError(
                'no process would accept its connections; name it in instances.<name>.sockets, '
                'or remove it',
                Location(f'sockets.{name}', each.where.position),
            )
