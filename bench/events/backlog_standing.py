"""What is measured: a store that fills up, is emptied and shrinks; a store with many queues."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench import cores
from bench.figures import percentile

__all__ = ['Delays', 'Drained', 'Filled', 'Queues', 'fill_and_drain', 'measure_queues']

_EMITTERS = 64
_RATE = 100.0  # events a second of those whose delay is measured
_DELAYED = 0.01  # share of the backlog that is emitted with a delay
_SPREAD = 20e-6  # seconds for each event of the backlog that these delays are up to
_SETTLED = 1.0  # seconds after which consumers that came are nothing new
_SMALL = 8 << 20  # bytes; a file that has given back what it had
_PATIENCE = 120.0


@dataclass(frozen=True)
class Delays:
    """Seconds from emit to handler."""

    p50: float
    p99: float


@dataclass(frozen=True)
class Filled:
    """A store when it has grown to `events`; rates and costs are those of the last step.

    Sizes in bytes, times in seconds; `cpu` is that of one event, `first` the time from
    `subscribe` of a consumer until it handles the first event.
    """

    events: int
    rate: float
    cpu: float
    file: float
    log: int
    resident: float
    first: float
    other: Delays


@dataclass(frozen=True)
class Drained:
    """What one consumer did with all of it, the delayed ones included; `other` meanwhile."""

    events: int
    rate: float
    cpu: float
    resident: float
    other: Delays
    full: int  # bytes of the file before
    left: int  # and after it has shrunk
    shrinking: float  # seconds that this took after the last event


@dataclass(frozen=True)
class Queues:
    """With `queues` in the store, all consumed by one process: what an event for one of them costs.

    Seconds; `idle` is the share of a core that the consumer uses when nothing happens, `rate`
    events a second from emitters to the last handler.
    """

    queues: int
    rate: float
    emit: float
    handle: float
    idle: float
    delays: Delays


def fill_and_drain(sizes: Sequence[int], paced: int) -> tuple[list[Filled], Drained]:
    """Fill a store step by step and drain it; `paced` events measure each delay."""
    with _store() as (folder, start):
        emitter, other, pacer, consumer = (
            start(side) for side in (cores.CLIENT, cores.SERVER, cores.CLIENT, cores.SERVER)
        )
        emitter('declare', queues=[['backlog', 'backlog']])
        other('subscribe', queues=[['other', 'other']])
        filled, before, handled = [], 0, 0
        for size in sizes:
            did = emitter('emit', type='backlog', count=size - before, emitters=_EMITTERS)
            # what it does not handle goes back to the queue
            probe = consumer('drain', queue='backlog', topic='backlog', count=1)
            filled.append(
                Filled(
                    events=size,
                    rate=(size - before) / did['seconds'],
                    cpu=did['cpu'] / (size - before),
                    file=_content(folder) / size,
                    log=_size(folder, '-wal'),
                    resident=did['resident'],
                    other=_delays(pacer, other, 'other', paced),
                    first=probe['first'],
                )
            )
            before, handled = size, handled + probe['handled']
        delayed = int(sizes[-1] * _DELAYED)
        emitter(
            'emit', type='backlog', count=delayed, emitters=_EMITTERS, spread=sizes[-1] * _SPREAD
        )
        full = _size(folder)
        count = sizes[-1] + delayed - handled
        consumer.tell('drain', queue='backlog', topic='backlog', count=count)
        meanwhile = _delays(pacer, other, 'other', paced)
        did = consumer.hear()
        shrinking = _until_small(folder)
        drained = Drained(
            events=count,
            rate=count / did['seconds'],
            cpu=did['cpu'] / count,
            resident=did['resident'],
            other=meanwhile,
            full=full,
            left=_size(folder),
            shrinking=shrinking,
        )
    return filled, drained


def measure_queues(number: int, events: int, paced: int, idle: float) -> Queues:
    """Measure a store with so many queues; `idle` seconds of it while nothing happens."""
    with _store() as (_, start):
        emitter, consumer = start(cores.CLIENT), start(cores.SERVER)
        consumer('subscribe', queues=[[f'queue{n}', f'topic{n}'] for n in range(number)])
        time.sleep(_SETTLED)
        emitter('emit', type='topic0', count=events // 10, emitters=_EMITTERS)
        consumer('until', count=events // 10)
        before = consumer('usage')
        did = emitter('emit', type='topic0', count=events, emitters=_EMITTERS)
        done = consumer('until', count=events)
        after = consumer('usage')
        delays = _delays(emitter, consumer, 'topic0', paced)
        resting = consumer('usage')
        time.sleep(idle)
        rested = consumer('usage')
    return Queues(
        queues=number,
        rate=events / (done - did['began']),
        emit=did['cpu'] / events,
        handle=(after['cpu'] - before['cpu']) / events,
        idle=(rested['cpu'] - resting['cpu']) / idle,
        delays=delays,
    )


class _Process:
    """A process of `bench.events.backlog_process`; called with a command and its keywords."""

    def __init__(self, config: dict[str, Any], side: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'bench.events.backlog_process', json.dumps(config), side],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.hear()

    def __call__(self, command: str, **keywords: Any) -> Any:
        self.tell(command, **keywords)
        return self.hear()

    def tell(self, command: str, **keywords: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f'{json.dumps([command, keywords])}\n')
        self._process.stdin.flush()

    def hear(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError('a process of the measurement ended (see above)')
        return json.loads(line)

    def close(self) -> None:
        self._process.communicate(timeout=_PATIENCE)


class _Start:
    """Starts processes on one store, which end with `stack`."""

    def __init__(self, stack: ExitStack, folder: str) -> None:
        self._stack = stack
        events = {'class': 'embedded', 'path': folder}
        self._config = {'container': {'registry': {'class': 'static'}, 'events': events}}

    def __call__(self, side: str) -> _Process:
        return self._stack.enter_context(closing(_Process(self._config, side)))


@contextmanager
def _store() -> Iterator[tuple[Path, _Start]]:
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix='lymph-'))
        yield Path(folder), _Start(stack, folder)


def _delays(pacer: _Process, consumer: _Process, type: str, count: int) -> Delays:
    pacer('pace', type=type, rate=_RATE, count=count)
    ordered = sorted(consumer('delays', count=count))
    return Delays(median(ordered), percentile(ordered, 0.99))


def _size(folder: Path, ending: str = '') -> int:
    return (folder / 'events' / f'events.sqlite{ending}').stat().st_size


def _content(folder: Path) -> int:
    """Return the bytes of all pages in use, also of those that the log alone has yet."""
    path = folder / 'events' / 'events.sqlite'
    with closing(sqlite3.connect(path)) as db:
        pages, size = (
            db.execute(f'PRAGMA {name}').fetchone()[0] for name in ('page_count', 'page_size')
        )
    return int(pages * size)


def _until_small(folder: Path) -> float:
    """Wait until the file has given back its pages; returns how many seconds that took."""
    begin = time.monotonic()
    while _size(folder) > _SMALL:
        if time.monotonic() - begin > _PATIENCE:
            raise RuntimeError(f'the file did not shrink within {_PATIENCE:g} s')
        time.sleep(0.1)
    return time.monotonic() - begin
