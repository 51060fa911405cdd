"""Finds the instances of services in all namespaces of the registry, and asks how they are."""

from __future__ import annotations

import time
from collections.abc import Sequence

from gevent.pool import Pool

from lymph.cli._arguments.instances import Wanted, choose
from lymph.cli._running.fleet import ask_all, by_endpoint
from lymph.cli._running.members import Member
from lymph.core.container import ServiceContainer
from lymph.core.services import Service
from lymph.discovery.base import HTTP, RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure, LymphError

__all__ = ['Found', 'ask_members', 'find_members']

#: instances by the names they were asked for
Found = dict[str, list[Member]]

#: The groups of serial handlers, which are no services, are registered there.
_SERIAL = 'serial'
_AT_ONCE = 50
#: Seconds for an instance, and for all of them, to say how they are.
_TIMEOUT = 1.0
_ALL = 5.0


def find_members(
    container: ServiceContainer, wanted: Sequence[Wanted], *, everything: bool
) -> Found:
    """Return the instances of what was asked for, or of all services, by names.

    With `everything`, the groups of serial handlers are there too, and names without instances that
    could be read. Raises LookupFailure if something that was asked for is away, or all is, and
    OperationFailed if an identity is not that of one instance.
    """
    registry = container.registry
    spaces = (RPC, HTTP, _SERIAL) if everything else (RPC, HTTP)
    known = {space: registry.discover(space) for space in spaces}
    every = set().union(*known.values())
    # the name of a service may have a colon in it
    asked = [Wanted(each.text, text=each.text) if each.text in every else each for each in wanted]
    asked = asked or [Wanted(name, text=name) for name in sorted(every)]

    def members(each: Wanted) -> list[Member] | LymphError:
        inside = [space for space in spaces if each.name in known[space]]
        try:
            return _members(registry, each, inside or [RPC])
        except LymphError as error:
            return error

    found: Found = {}
    away: LymphError | None = None
    for each, result in zip(asked, Pool(_AT_ONCE).map(members, asked), strict=True):
        if isinstance(result, LymphError):
            away = result
            if everything and not wanted:
                found[each.text] = []  # such as one whose instances cannot be read
        else:
            found[each.text] = result
    # One that has left since it was seen is no failure, unless it was asked for.
    if away is not None and (wanted or not found):
        raise away
    return found


def _members(registry: BaseServiceRegistry, wanted: Wanted, spaces: Sequence[str]) -> list[Member]:
    """Return the instances of a service that are meant, the oldest first."""
    service = Service(wanted.name)
    # An instance that serves calls and HTTP is in both namespaces, and is one member.
    inside: dict[str, list[str]] = {}
    away: LookupFailure | None = None
    for space in spaces:
        try:
            for instance in registry.get(wanted.name, space):
                service.add(instance)
                inside.setdefault(instance.key, []).append(space)
        except LookupFailure as error:
            away = error
    # A service needs to exist in only one namespace.
    if away is not None and not len(service):
        raise away
    now = time.time()
    chosen = choose(service, wanted)
    chosen.sort(key=lambda each: (each.started or 0, each.key))
    return [Member(wanted.text, tuple(inside[each.key]), each, None, now) for each in chosen]


def ask_members(container: ServiceContainer, found: Found) -> Found:
    """Return the instances with what they say of themselves; all are asked at the same time.

    Who says nothing within a second is not waited for.
    """
    endpoints = by_endpoint(
        (name, each.instance)
        for name, members in found.items()
        for each in members
        if each.namespaces != (_SERIAL,)  # these have no address
    )
    answers = dict(zip(endpoints, ask_all(container, endpoints, _TIMEOUT, _ALL), strict=True))
    return {
        name: [each._replace(answer=answers.get(each.instance.endpoint)) for each in members]
        for name, members in found.items()
    }
