"""Why calls to a service reach somebody or nobody: asks the registry and the instances."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import gevent

from lymph.cli._arguments.instances import Wanted, choose
from lymph.cli._running.fleet import ask_all, by_endpoint
from lymph.cli._running.local_processes import process_of
from lymph.cli._running.reasons import Reason
from lymph.cli._running.verdicts import Verdict, conclusion, judge, other_version
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.core.container import ServiceContainer
from lymph.core.services import Service, ServiceInstance
from lymph.core.versioning import Version, parse_version
from lymph.discovery.base import HTTP, RPC
from lymph.exceptions import LookupFailure, LymphError

__all__ = ['Explanation', 'explain', 'unregistered']

T = TypeVar('T')

_REGISTRY = 15.0  # seconds for an answer; ZooKeeper's client says after ten why there is none
_LISTED = 8  # names of other services
_WORKER = '.worker'


@dataclass(frozen=True)
class Explanation:
    """What was found: one line of conclusion, and what it is drawn from.

    `registry` says which one was asked; None for an endpoint, and while it cannot be asked.
    """

    address: str
    conclusion: str
    registry: str | None
    verdicts: tuple[Verdict, ...] = ()
    #: other services there are, where nobody has the name that was asked for
    others: tuple[str, ...] = ()

    @property
    def reachable(self) -> bool:
        """Whether a call reaches an instance."""
        return any(verdict.called for verdict in self.verdicts)


def explain(container: ServiceContainer, wanted: Wanted) -> Explanation:
    """Look at a service, at one of its instances, or at what is at an endpoint. Bounded in time.

    Raises OperationFailed for an identity that none of the instances has.
    """
    address, name = wanted.text, wanted.name
    if '://' in name:
        verdicts = _judged(container, '', [ServiceInstance('', name)], {}, False)
        return Explanation(address, conclusion(address, verdicts), None, verdicts)
    try:
        registry = _in_time(lambda: container.registry)
        names = {space: _in_time(registry.discover, space) for space in (RPC, HTTP)}
        if wanted.prefix and address in names[RPC]:
            wanted, name = Wanted(address, text=address), address  # it has a colon in it
        if name not in names[RPC]:
            text, others = unregistered(name, names[RPC], names[HTTP])
            return Explanation(address, text, registry.description, others=others)
        service = _in_time(registry.get, name)
    except LymphError as error:
        return Explanation(address, f'the registry cannot be asked: {error}', None)
    problems = _version_problems(service, wanted.version)
    meant = choose(service, Wanted(name, None, wanted.prefix, address))
    verdicts = _judged(container, name, meant, problems, registry.beyond_host)
    return Explanation(address, conclusion(address, verdicts), registry.description, verdicts)


def unregistered(
    name: str, services: Iterable[str], web: Iterable[str]
) -> tuple[str, tuple[str, ...]]:
    """Return the conclusion for a name that nobody answers calls to, and names there are."""
    known = sorted(services)
    text = f'no instance of {quoted(name)} is registered'
    close = close_name(name, known)
    others = tuple(known[:_LISTED])
    if name in set(web):
        advice = 'it serves HTTP alone, and answers no calls'
    elif f'{name}{_WORKER}' in known:
        advice = 'only workers of it run, which answer no calls: start it with `lymph instance`'
    elif close is not None:
        advice = f'did you mean {quoted(close)}?'
    elif known:
        advice = (
            'start it with `lymph instance`; if it runs, it is in another registry: compare '
            '`container.registry` of its configuration with that of this command (--config)'
        )
    else:
        advice = (
            'no other service is, either: start it with `lymph instance`; if some run, they are in '
            'another registry: give their configuration with --config'
        )
    return f'{text}; {advice}', others


def _version_problems(service: Service, version: Version | None) -> dict[str, Reason]:
    """Return what speaks against the version of an instance, by the keys of instances."""
    serving = {instance.key for instance in service.match(version)}
    majors = [parse_version(each.version).major for each in service if each.version is not None]
    newest = f'{max(majors, default=0)}.x'
    wanted = None if version is None else str(version)
    return {
        each.key: other_version(service.name, each.version, wanted, newest)
        for each in service
        if each.key not in serving
    }


def _judged(
    container: ServiceContainer,
    name: str,
    instances: Iterable[ServiceInstance],
    problems: Mapping[str, Reason],
    beyond_host: bool,
) -> tuple[Verdict, ...]:
    known = sorted(instances, key=lambda each: (each.started or 0, each.key))
    members = by_endpoint((name, each) for each in known)
    answers = dict(zip(members, ask_all(container, members), strict=True))
    return tuple(
        judge(
            name,
            each,
            answers[each.endpoint],
            problems.get(each.key),
            process=process_of(each),
            beyond_host=beyond_host,
            hostname=socket.gethostname(),
        )
        for each in known
    )


def _in_time(ask: Callable[..., T], *args: object) -> T:
    with gevent.Timeout(_REGISTRY, LookupFailure(f'no answer within {_REGISTRY:g} s')):
        return ask(*args)
