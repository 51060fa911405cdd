"""Watches what services do, on a screen or once."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Final

import click
import gevent
from gevent.event import Event

from lymph.cli._running.asking import open_client
from lymph.cli._top.columns import COLUMNS
from lymph.cli._top.frame import frame
from lymph.cli._top.listings import instance_name, queues_of, sort_items
from lymph.cli._top.screen import Screen, can_be_drawn
from lymph.cli._top.view import Sort, TopView
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.config.printable import quoted
from lymph.core.monitoring.overview import InstanceState, Overview, ServiceState, Snapshot
from lymph.exceptions import LookupFailure

__all__ = ['run']

_INTERVAL: Final = 2.0  # seconds
_INTERVAL_ONCE: Final = 1.0
_LEAST: Final = 0.1
_PAUSE: Final = 0.03  # seconds between two drawings
_MOST_PROBLEMS: Final = 20  # instances whose silence is explained


def run(
    settings: Settings,
    names: Sequence[str],
    interval: float | None,
    sort: str,
    instances: bool,
    once: bool,
    as_json: bool,
) -> None:
    """Show what services do until the user quits, or print it once.

    Raises UsageError for what is no name of a service; printing once, LookupFailure if one that is
    named is not there, or if the registry does not answer.
    """
    for name in names:
        if '://' in name:
            raise click.UsageError(f'expected names of services, found {quoted(name)}')
    once = once or as_json
    if not once and not can_be_drawn():
        once = True
        if sys.stdout.isatty():
            say('the screen needs a terminal at stdin that can move its cursor; printed once')
    interval = interval or (_INTERVAL_ONCE if once else _INTERVAL)
    with open_client(settings) as client:
        if once:
            snapshot = _look_twice(client, names, interval)
            _print(Printer(settings), snapshot, Sort(sort), instances, as_json)
        else:
            view = TopView(all_expanded=instances)
            view.sorts['services'] = Sort(sort)
            _watch(client, names, max(interval, _LEAST), view, Printer(settings).color)


def _look_twice(client: Client, names: Sequence[str], interval: float) -> Snapshot:
    with Overview(client.container, names) as overview:
        _expect_registry(overview.poll(everyone=True))
        gevent.sleep(interval)
        snapshot = overview.poll(everyone=True)
    _expect_registry(snapshot)
    for name in names:
        if snapshot.service(name) is None:
            client.container.lookup(name)  # it says what is missing, and what to do
    return queues_of(snapshot, names)


def _expect_registry(snapshot: Snapshot) -> None:
    if not snapshot.services and 'registry' in snapshot.problems:
        raise LookupFailure(snapshot.problems['registry'])


def _print(
    printer: Printer, snapshot: Snapshot, sort: Sort, instances: bool, as_json: bool
) -> None:
    for part, problem in snapshot.problems.items():
        say(f'{part}: {problem}')
    if snapshot.left_out:
        say(f'{snapshot.left_out} instances were not asked: there are too many')
    if as_json:
        printer.json(snapshot)
        return
    if not snapshot.services:
        say('no service is running')
        return
    services = sort_items('services', snapshot.services, sort, lambda each: each.name)
    rows: list[list[str | Text]] = []
    for service in services:
        rows.append([line(service.name, 'bold'), *_cells(service, instances)])
        if instances:
            ordered = sort_items('services', service.instances, sort, lambda each: each.endpoint)
            rows += [[line(service.name, 'bold'), *_cells(each, instances)] for each in ordered]
    titles = [each.title for each in COLUMNS['services']]
    printer.listing(['SERVICE', *(['INSTANCE'] if instances else []), *titles], rows)
    _say_problems(services)


def _say_problems(services: Iterable[ServiceState]) -> None:
    instances = [each for service in services for each in service.instances if each.problem]
    problems = {each.endpoint: each.problem for each in instances}
    for endpoint, problem in islice(problems.items(), _MOST_PROBLEMS):
        say(f'{endpoint}  {problem}')
    if len(problems) > _MOST_PROBLEMS:
        say(f'{len(problems) - _MOST_PROBLEMS} more instances do not answer')


def _cells(item: ServiceState | InstanceState, instances: bool) -> list[str | Text]:
    name = instance_name(item) if isinstance(item, InstanceState) else ''
    cells = [line(each.text(item), each.style(item)) for each in COLUMNS['services']]
    return [*([name] if instances else []), *cells]


def _watch(
    client: Client, names: Sequence[str], interval: float, view: TopView, color: bool
) -> None:
    snapshot: Snapshot | None = None
    changed = Event()

    def poll() -> None:
        nonlocal snapshot
        with Overview(client.container, names) as overview:
            while True:
                began = time.monotonic()
                if not view.paused:
                    snapshot = queues_of(overview.poll(), names)
                    changed.set()
                gevent.sleep(max(interval - (time.monotonic() - began), _LEAST))

    polling = gevent.spawn(poll)
    # what ends it is raised below, once the terminal is as it was
    polling.link_exception(lambda _: changed.set())
    try:
        with _quiet_console(), Screen(color, changed) as screen:
            while not view.ended:
                changed.clear()
                shown = frame(snapshot, view, screen.size, interval)
                screen.draw(shown.lines)
                gevent.sleep(_PAUSE)
                changed.wait()
                if polling.ready():
                    polling.get()
                for key in screen.pressed():
                    view.press(key, shown.listing)
                    # the next key is about the rows that this one has led to
                    shown = frame(snapshot, view, screen.size, interval)
    finally:
        polling.kill()  # the terminal does not wait for this


@contextmanager
def _quiet_console() -> Iterator[None]:
    """Write no log to the terminal during a `with` block: it would destroy the screen."""

    def silent(_record: logging.LogRecord) -> bool:
        return False

    consoles = [
        handler
        for handler in logging.root.handlers
        if getattr(handler, 'stream', None) in (sys.stderr, sys.stdout)
    ]
    for handler in consoles:
        handler.addFilter(silent)
    try:
        yield
    finally:
        for handler in consoles:
            handler.removeFilter(silent)
