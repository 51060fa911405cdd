"""What a page is told of a snapshot: what it shows, within bounds, in JSON types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Final, Literal

from lymph.core.monitoring.overview import (
    InstanceState,
    Load,
    MethodLoad,
    ServiceState,
    Snapshot,
)
from lymph.web._dashboard.history import Figure

__all__ = ['SERVICES', 'figures', 'health_of', 'service_facts', 'snapshot_facts']

Health = Literal['good', 'worse', 'bad', 'unknown']

#: services, and queues, that are shown
SERVICES: Final = 400
_QUEUES: Final = 400
_INSTANCES: Final = 500  # of a service
_METHODS: Final = 500  # of a service


def snapshot_facts(snapshot: Snapshot) -> dict[str, Any]:
    """Return what is shown of all services and queues."""
    return {
        'at': snapshot.at,
        'seconds': snapshot.seconds,
        'services': [_summary(each) for each in snapshot.services[:SERVICES]],
        'queues': [asdict(each) for each in snapshot.queues[:_QUEUES]],
        'registry': asdict(snapshot.registry),
        'broker': asdict(snapshot.broker),
        'problems': dict(snapshot.problems),
        'left_out': snapshot.left_out,
        'services_left_out': max(0, len(snapshot.services) - SERVICES),
        'queues_left_out': max(0, len(snapshot.queues) - _QUEUES),
    }


def service_facts(state: ServiceState) -> dict[str, Any]:
    """Return what is shown of one service: also its instances, methods and queues."""
    return {
        **_summary(state),
        'members': [_instance_facts(each) for each in state.instances[:_INSTANCES]],
        'members_left_out': max(0, len(state.instances) - _INSTANCES),
        'methods': [_method_facts(each) for each in state.methods[:_METHODS]],
        'handlers': [_method_facts(each) for each in state.handlers[:_METHODS]],
    }


def figures(snapshot: Snapshot) -> dict[Figure, float | None]:
    """Return the figures of a snapshot that are kept for charts."""
    found: dict[Figure, float | None] = {}
    for service in snapshot.services[:SERVICES]:
        facts = _summary(service)
        for figure in ('rate', 'errors', 'p50', 'p99', 'memory'):
            found['services', service.name, figure] = facts[figure]
    for queue in snapshot.queues[:_QUEUES]:
        found['queues', queue.queue, 'waiting'] = queue.waiting
        found['queues', queue.queue, 'dead'] = queue.dead
    return found


def health_of(states: Iterable[str]) -> Health:
    """Return the health of a service whose instances have these states."""
    asked = [each for each in states if each != 'not asked']
    up = sum(each == 'up' for each in asked)
    if not asked:
        return 'unknown'
    return 'bad' if not up else 'good' if up == len(asked) else 'worse'


def _summary(state: ServiceState) -> dict[str, Any]:
    return {
        'name': state.name,
        'namespaces': state.namespaces,
        'versions': state.versions,
        'health': health_of(each.status for each in state.instances),
        'up': state.up,
        'instances': len(state.instances),
        **_work(state),
        'loop_delay': state.loop_delay,
        'memory': state.memory,
        'cpu': state.cpu,
    }


def _work(state: ServiceState | InstanceState) -> dict[str, Any]:
    """Return the work of all kinds together; its times are those of the kind with most of it."""
    loads = (state.calls, state.http, state.events)
    most = max(loads, key=lambda load: (load.rate or 0, load.total or 0))
    rate, errors = _sum(each.rate for each in loads), _sum(each.errors for each in loads)
    return {
        'rate': rate,
        'errors': errors,
        'error_share': None if not rate or errors is None else errors / rate,
        'refused': _sum(each.refused for each in loads),
        'running': _sum(each.running for each in loads),
        'p50': most.p50,
        'p99': most.p99,
    }


def _instance_facts(state: InstanceState) -> dict[str, Any]:
    names = (
        *('identity', 'endpoint', 'versions', 'hostname', 'ip', 'pid', 'http_url', 'started'),
        *('status', 'since', 'problem', 'answered', 'lymph', 'uptime', 'loop_delay', 'memory'),
        *('cpu', 'descriptors', 'greenlets', 'threads', 'registry', 'broker'),
    )
    return {**{name: getattr(state, name) for name in names}, **_work(state)}


def _method_facts(method: MethodLoad) -> dict[str, Any]:
    return {'name': method.name, **_load_facts(method.load)}


def _load_facts(load: Load) -> dict[str, Any]:
    return asdict(load)


def _sum(values: Iterable[Any]) -> Any:
    known = list(_known(values))
    return sum(known) if known else None


def _known(values: Iterable[Any]) -> Iterator[Any]:
    return (each for each in values if each is not None)
