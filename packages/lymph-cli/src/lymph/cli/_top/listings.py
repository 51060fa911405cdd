"""The rows of each table: chosen, sorted. Pure; what is in them is written when they are drawn."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from typing import Any

from lymph.cli._arguments.durations import short_duration
from lymph.cli._top.columns import COLUMNS, NAME
from lymph.cli._top.view import ListedRow, Sort, TopView
from lymph.core.monitoring.overview import (
    InstanceState,
    MethodLoad,
    ServiceState,
    Snapshot,
)

__all__ = [
    'instance_name',
    'instance_problem',
    'method_rows',
    'method_shown',
    'queue_rows',
    'queues_of',
    'service_rows',
    'shown_state',
    'sort_items',
]

_IDENTITY = 8  # characters of an identity
_WORKER = '.worker'


def service_rows(snapshot: Snapshot, view: TopView) -> list[ListedRow]:
    """Return the services, each followed by its instances if they are to be shown."""
    services = [each for each in snapshot.services if _fits(each.name, view, 'services')]
    sort = view.sorts['services']
    rows = []
    for service in sort_items('services', services, sort, lambda each: each.name):
        rows.append(ListedRow(f's:{service.name}', service.name, service, service.name))
        if view.is_expanded(service.name):
            instances = sort_items('services', service.instances, sort, lambda each: each.endpoint)
            rows += [_instance_row(service.name, each, snapshot.at) for each in instances]
    return rows


def method_rows(snapshot: Snapshot, view: TopView) -> list[ListedRow]:
    """Return the methods of the service or instance of the view, and its event handlers."""
    found = shown_state(snapshot, view)
    loads = [] if found is None else [*found.methods, *found.handlers]
    loads = [each for each in loads if _fits(each.name, view, 'methods')]
    ordered = sort_items('methods', loads, view.sorts['methods'], lambda each: each.name)
    return [ListedRow(each.name, each.name, each) for each in ordered]


def queue_rows(snapshot: Snapshot, view: TopView) -> list[ListedRow]:
    """Return the queues."""
    queues = [each for each in snapshot.queues if _fits(each.queue, view, 'services')]
    ordered = sort_items('queues', queues, view.sorts['queues'], lambda each: each.queue)
    return [ListedRow(each.queue, each.queue, each) for each in ordered]


def queues_of(snapshot: Snapshot, names: Collection[str]) -> Snapshot:
    """Return a snapshot with the queues of these services alone; without names, with all.

    The name of a queue begins with that of its service; a backend may put something in front.
    """
    if not names:
        return snapshot
    parts = [f'.{name.removesuffix(_WORKER)}.' for name in names]
    queues = [each for each in snapshot.queues if any(part in f'.{each.queue}' for part in parts)]
    return replace(snapshot, queues=tuple(queues))


def method_shown(snapshot: Snapshot, view: TopView) -> MethodLoad | None:
    """Return the method that the view is about, None if it is gone."""
    found = shown_state(snapshot, view)
    loads = () if found is None else (*found.methods, *found.handlers)
    return next((each for each in loads if each.name == view.method), None)


def shown_state(snapshot: Snapshot, view: TopView) -> ServiceState | InstanceState | None:
    """Return the service or instance that the view is about, None if it is gone."""
    service = snapshot.service(view.service)
    if service is None or not view.endpoint:
        return service
    return next((each for each in service.instances if each.endpoint == view.endpoint), None)


def sort_items(
    table: str, items: Iterable[Any], sort: Sort, name: Callable[[Any], str]
) -> list[Any]:
    """Return items sorted by a column; those without a value are last, equal ones by name."""
    named = sorted(items, key=name)
    if sort.column == NAME:
        return named[::-1] if sort.reverse else named
    value = next(each.value for each in COLUMNS[table] if each.name == sort.column)
    known = [each for each in named if value(each) is not None]
    known.sort(key=lambda each: value(each) or 0, reverse=not sort.reverse)
    return known + [each for each in named if value(each) is None]


def _fits(name: str, view: TopView, page: str) -> bool:
    return view.filters.get(page, '').lower() in name.lower()


def instance_problem(instance: InstanceState, at: float) -> str:
    """Return what is wrong with an instance at a Unix time, '' if it has figures."""
    if not instance.problem:
        return ''
    since = '' if instance.since is None else f' for {short_duration(at - instance.since)}'
    return f'{instance.status}{since}: {instance.problem}'


def _instance_row(service: str, instance: InstanceState, at: float) -> ListedRow:
    name = instance_name(instance).replace(' tcp://', ' ')  # there is little room
    key = f'i:{service}:{instance.identity}:{instance.endpoint}'
    problem = instance_problem(instance, at)
    return ListedRow(key, name, instance, service, instance.endpoint, 1, problem)


def instance_name(instance: InstanceState) -> str:
    """Return what an instance is called: the beginning of its identity, endpoint and host."""
    host = f' {instance.hostname}' if instance.hostname else ''
    return f'{instance.identity[:_IDENTITY]} {instance.endpoint}{host}'
