"""The lines above the tables: all services together, the registry, the broker. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable

from lymph.cli._arguments.durations import short_duration
from lymph.cli._display.numbers import rate_text, share_text
from lymph.cli._top.listings import instance_problem, shown_state
from lymph.cli._top.view import TopView
from lymph.cli.printing import Text, line
from lymph.core.monitoring.overview import BackendState, InstanceState, Snapshot

__all__ = ['header_lines']


def header_lines(snapshot: Snapshot, view: TopView, interval: float) -> list[Text]:
    """Return the lines."""
    return [
        _summary(snapshot, view, interval),
        _backend('registry', snapshot.registry, snapshot),
        _backend('broker', snapshot.broker, snapshot),
        *([line('')] if view.page == 'services' else [_title(snapshot, view)]),
    ]


def _summary(snapshot: Snapshot, view: TopView, interval: float) -> Text:
    # A process that offers several services is one instance.
    instances = {
        (each.identity, each.endpoint): each
        for service in snapshot.services
        for each in service.instances
    }
    silent = sum(each.status == 'silent' for each in instances.values())
    rate = _sum(each.calls.rate for each in snapshot.services)
    errors = _sum(each.calls.errors for each in snapshot.services)
    share = errors / rate if rate and errors is not None else None
    at = time.strftime('%H:%M:%S', time.localtime(snapshot.at))
    return Text.assemble(
        line('lymph top', 'bold'),
        f'  {at}  {_counted(len(snapshot.services), "service")}, ',
        f'{_counted(len(instances), "instance")}',
        line(f', {silent} silent' if silent else '', 'red'),
        f'  {rate_text(rate)} calls/s',
        line(f', {share_text(share)} errors' if share else '', 'yellow'),
        line(f'  {snapshot.left_out} instances not asked' if snapshot.left_out else '', 'red'),
        line('  paused', 'yellow') if view.paused else f'  every {interval:g}s',
    )


def _backend(kind: str, state: BackendState, snapshot: Snapshot) -> Text:
    problem = snapshot.problems.get('registry' if kind == 'registry' else 'queues', '')
    name = state.description
    if state.server and state.server not in name:
        name = state.server if kind == 'broker' else f'{name} at {state.server}'
    since = ''
    if state.since is not None:
        since = f' for {short_duration(snapshot.at - state.since)}'
    reason = state.reason or problem
    if state.connected is False:
        word = line(f'away{since}{f": {reason}" if reason else ""}', 'red')
    elif problem:
        word = line(problem, 'red')
    else:
        word = line(f'connected{since}' if state.connected else '', 'green')
    away = f'; {_counted(state.away, "instance")} without a connection' if state.away else ''
    return Text.assemble(f'{kind:<9}', line(f'{name}  ' if name else ''), word, line(away, 'red'))


def _title(snapshot: Snapshot, view: TopView) -> Text:
    found = shown_state(snapshot, view)
    problem = instance_problem(found, snapshot.at) if isinstance(found, InstanceState) else ''
    if found is None:
        problem = 'gone'
    where = f' at {view.endpoint}' if view.endpoint else ''
    what = f'  {view.method}' if view.page == 'method' else ''
    title = line(f'{view.service}{where}{what}', 'bold')
    return Text.assemble(title, line(f'  {problem}' if problem else '', 'red'))


def _counted(number: int, word: str) -> str:
    return f'{number} {word}{"" if number == 1 else "s"}'


def _sum(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
