"""From what instances say to the states of instances and services. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from lymph.config.printable import quoted
from lymph.core._overview.answers import Heard, Said
from lymph.core._overview.data import InstanceState, InstanceStatus, MethodLoad, ServiceState
from lymph.core._overview.loads import (
    CALLS,
    EVENTS,
    HTTP_REQUESTS,
    Between,
    Measured,
    load_of,
    method_load,
    spread,
    together,
    within,
)
from lymph.core._overview.samples import InstanceFigures
from lymph.core.services import ServiceInstance

__all__ = ['Registered', 'service_state']

_WORKER: Final = '.worker'


class Registered(NamedTuple):
    """A process as one service: what the registry has of it, one `ServiceInstance` per version."""

    service: str
    namespaces: tuple[str, ...]
    instances: tuple[ServiceInstance, ...]

    @property
    def first(self) -> ServiceInstance:
        """One of them; all have the same identity, endpoint and process."""
        return self.instances[0]


class ServiceWork(NamedTuple):
    """What a process does for one service, by names of methods, queues and HTTP interfaces."""

    calls: Mapping[str, Measured] = {}
    events: Mapping[str, Measured] = {}
    http: Mapping[str, Measured] = {}


def service_state(
    name: str, members: Iterable[Registered], heard: Mapping[str, Heard]
) -> ServiceState:
    """Return the state of a service; `heard` has what is known of processes, by endpoints."""
    found = [(each, heard.get(each.first.endpoint)) for each in members]
    works = [_work(each, known) for each, known in found]
    instances = [
        _instance_state(each, known, work) for (each, known), work in zip(found, works, strict=True)
    ]
    instances.sort(key=lambda each: (each.started or 0, each.endpoint, each.identity))
    calls, events, http = (
        _merged([getattr(work, kind) for work in works]) for kind in ServiceWork._fields
    )
    delays = [each.loop_delay for each in instances if each.loop_delay is not None]
    return ServiceState(
        name,
        tuple(sorted({space for each, _ in found for space in each.namespaces})),
        tuple(sorted({version for each in instances for version in each.versions})),
        sum(each.status == 'up' for each in instances),
        tuple(instances),
        load_of(together(calls.values())),
        load_of(together(http.values())),
        load_of(together(events.values())),
        _loads(calls),
        _loads(events),
        loop_delay=max(delays, default=None),
        memory=_sum(each.memory for each in instances),
        cpu=_sum(each.cpu for each in instances),
    )


def _instance_state(member: Registered, heard: Heard | None, work: ServiceWork) -> InstanceState:
    known = member.first
    last = None if heard is None else heard.last
    status = _status(member, heard)
    state = InstanceState(
        known.identity,
        known.endpoint,
        tuple(sorted({each.version for each in member.instances if each.version is not None})),
        hostname=known.hostname,
        ip=known.ip,
        pid=known.pid,
        http_url=next((each.http_url for each in member.instances if each.http_url), None),
        started=known.started,
        status=status,
        since=None if heard is None else heard.since,
        problem=_problem(status, heard),
        answered=None if last is None else last.wall,
        lymph=None if last is None else last.lymph,
        uptime=None if last is None else last.uptime,
    )
    between = None if heard is None else heard.between()
    if between is None or status in _WITHOUT:
        return state
    return _with_figures(state, between, work)


#: An instance of these has no figures: those of its last answer are not true any more.
_WITHOUT: Final[Collection[InstanceStatus]] = ('silent', 'foreign', 'not asked')


def _with_figures(state: InstanceState, between: Between, work: ServiceWork) -> InstanceState:
    after = between.after
    return replace(
        state,
        calls=load_of(together(work.calls.values())),
        http=load_of(together(work.http.values())),
        events=load_of(together(work.events.values())),
        methods=_loads(work.calls),
        handlers=_loads(work.events),
        loop_delay=within(0.99, between.buckets('loop.delay')),
        memory=after.number('process.memory'),
        cpu=between.rate('process.cpu'),
        descriptors=_whole(after, 'process.descriptors'),
        greenlets=_whole(after, 'process.greenlets'),
        threads=_whole(after, 'process.threads'),
        registry=_flag(after, 'registry.connected'),
        broker=_flag(after, 'broker.connected'),
    )


def _status(member: Registered, heard: Heard | None) -> InstanceStatus:
    if heard is None or (heard.last is None and heard.since is None):
        return 'not asked'
    if heard.since is not None or heard.last is None:
        return 'silent'
    known, said = member.first, heard.last
    # An address in a configuration has an identity that no process knows.
    announced = known.pid is not None or known.started is not None
    if announced and said.identity is not None and said.identity != known.identity:
        return 'foreign'
    if said.draining:
        return 'draining'
    return 'starting' if said.starting else 'up'


def _problem(status: InstanceStatus, heard: Heard | None) -> str:
    if status == 'foreign' and heard is not None and heard.last is not None:
        return f'the instance {quoted(heard.last.identity)} answers there'
    return '' if heard is None else heard.problem


def _work(member: Registered, heard: Heard | None) -> ServiceWork:
    """Return what the process does for this service."""
    between = None if heard is None else heard.between()
    if between is None or heard is None or heard.last is None:
        return ServiceWork()
    if _status(member, heard) in _WITHOUT:
        return ServiceWork()
    said = heard.last
    interface = member.service.removesuffix(_WORKER) if said.worker else member.service
    return ServiceWork(
        calls={
            method: measured
            for method, measured in spread(between, CALLS).items()
            if method.rpartition('.')[0] == interface
        },
        events={
            queue: measured
            for queue, measured in spread(between, EVENTS).items()
            if _owner(queue, said) == interface
        },
        http={
            name: measured
            for name, measured in spread(between, HTTP_REQUESTS).items()
            if name == interface
        },
    )


def _owner(queue: str, said: Said) -> str | None:
    """Return the interface of a process that a queue belongs to.

    The name of a queue begins with that of its interface; others are those of subscriptions that
    code has made, and a process with one interface has them for that one.
    """
    owners = [name for name in said.interfaces if queue.startswith(f'{name}.')]
    if not owners and len(set(said.interfaces)) == 1:
        return said.interfaces[0]
    return max(owners, key=len, default=None)


def _merged(works: Sequence[Mapping[str, Measured]]) -> dict[str, Measured]:
    """Return what several processes have done, by names."""
    names = dict.fromkeys(name for work in works for name in work)
    return {name: together(work[name] for work in works if name in work) for name in names}


def _loads(work: Mapping[str, Measured]) -> tuple[MethodLoad, ...]:
    return tuple(method_load(name, measured) for name, measured in sorted(work.items()))


def _sum(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _whole(figures: InstanceFigures, name: str) -> int | None:
    number = figures.number(name)
    return None if number is None else int(number)


def _flag(figures: InstanceFigures, name: str) -> bool | None:
    number = figures.number(name)
    return None if number is None else number > 0
