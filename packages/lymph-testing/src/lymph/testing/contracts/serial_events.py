"""The contract of serial events, tested with real processes.

Authors of an event system or a partitioner run the tests by subclassing, for pytest to collect::

    class TestSerialEvents(SerialEventsContract):
        def configuration(self, folder, server):
            return {'container': {'events': {'class': 'mine'}}}

Processes join, leave, are killed and stopped while numbered events of many keys are emitted. After
each test, the events of each key were begun in their order, none was lost, and no two handlers of a
key ran at the same time, unless a process was stopped or killed inside one of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gevent
import pytest

from lymph.config import Configuration
from lymph.core.events import Event
from lymph.core.greenlets import Greenlet
from lymph.events.base import BaseEventSystem
from lymph.testing._servers.processes import GuardedProcess
from lymph.testing.contracts._serial_events.program import TOPIC
from lymph.testing.contracts._serial_events.record import Gone, broken_promises, read_steps
from lymph.testing.waiting import eventually, let_pass

__all__ = ['SerialEventsContract']

_PROGRAM = 'lymph.testing.contracts._serial_events.program'


class SerialEventsContract:
    """The tests of serial events with one configuration."""

    #: seconds to wait for something that has to happen
    patience: ClassVar[float] = 40.0
    #: seconds after which a stopped process has lost its queues
    stall: ClassVar[float] = 4.0
    #: seconds between two emitted events, at least
    pace: ClassVar[float] = 0.01
    #: events of one key that are emitted and not begun, at most: the load is closed for each key,
    #: so that the keys of a stopped process do not hold up the others
    in_flight: ClassVar[int] = 10
    keys: ClassVar[tuple[str, ...]] = tuple(f'key-{n}' for n in range(10))

    _emitter: Greenlet | None = None

    def configuration(self, folder: Path, server: Any) -> dict[str, Any]:
        """Return the configuration of all processes, with state in `folder` / 'state'.

        Raises NotImplementedError: subclasses override it.
        """
        raise NotImplementedError

    @pytest.fixture
    def server(self) -> Any:
        """A fixture with the argument `server` of `configuration`: override it to use a server."""
        return None

    # The tools of the tests.

    @pytest.fixture(autouse=True)
    def _run(self, tmp_path: Path, server: Any) -> Iterator[None]:
        self.folder = tmp_path
        self.name = f'ledger-{secrets.token_hex(4)}'  # a broker may be shared by all tests
        self._log = tmp_path / 'steps.log'
        self._file = tmp_path / 'service.yml'
        self._file.write_text(json.dumps(self.configuration(tmp_path, server)))  # which is YAML
        self._processes: list[GuardedProcess] = []
        self._gone = Gone()
        self._emitted: dict[str, int] = dict.fromkeys(self.keys, 0)
        self._events = self._start_events()
        yield
        if self._emitter is not None:
            self._emitter.kill()
        for process in self._processes:
            process.end()
        self._events.on_stop()
        self._events.pool.kill()

    def _start_events(self) -> BaseEventSystem:
        config = Configuration()
        config.load_file(str(self._file))
        events = config.create_instance('container.events', group='lymph.events')
        assert isinstance(events, BaseEventSystem)
        events.on_start()
        return events

    def start(self) -> GuardedProcess:
        """Start a process that handles events."""
        process = GuardedProcess(
            [sys.executable, '-m', _PROGRAM, str(self._file), self.name, str(self._log)],
            environment={**os.environ, 'LYMPH_STATE_DIR': str(self.folder / 'state')},
            folder=self.folder,
            log=self.folder / 'output.log',
        )
        self._processes.append(process)
        eventually(lambda: process.pid in read_steps(self._log).ready, self.patience, self._said)
        return process

    def leave(self, process: GuardedProcess) -> None:
        """Stop a process with SIGTERM, so that it drains."""
        process.send(signal.SIGTERM)
        eventually(lambda: not process.running, self.patience, self._said)
        assert process.exit_status == 0

    def kill(self, process: GuardedProcess) -> None:
        """Kill a process while one of its handlers runs."""
        self._catch(process)
        self._gone.killed[process.pid] = time.monotonic()
        process.send(signal.SIGKILL)
        eventually(lambda: not process.running, self.patience)

    def stop(self, process: GuardedProcess) -> None:
        """Stop a process while one of its handlers runs."""
        while True:
            self._catch(process)
            process.send(signal.SIGSTOP)
            eventually(lambda: _stands_still(process.pid), self.patience)
            self._gone.stopped[process.pid] = time.monotonic()
            if not _holds_up_others(self.folder):
                return
            process.send(signal.SIGCONT)
            gevent.sleep(0)

    def go_on(self, process: GuardedProcess) -> None:
        """Continue a stopped process."""
        process.send(signal.SIGCONT)

    def emit(self) -> None:
        """Start emitting events of each key in turn, with at most `in_flight` waiting per key."""
        self._emitter = Greenlet.spawn(self._emit)

    def finish(self) -> None:
        """Stop emitting, wait until all events are handled, and check the promises."""
        assert self._emitter is not None
        self._emitting = False
        self._emitter.get(timeout=self.patience)
        eventually(self._all_begun, self.patience, self._said)
        assert broken_promises(read_steps(self._log), self._emitted, self._gone) == []

    def handles(self, *processes: GuardedProcess, more: int = 20) -> None:
        """Wait until each of the processes has handled more events."""
        begun = len(read_steps(self._log).steps)

        def counted() -> bool:
            steps = read_steps(self._log).steps[begun:]
            return all(sum(s.pid == p.pid for s in steps) >= more for p in processes)

        eventually(counted, self.patience, self._said)

    def _emit(self) -> None:
        self._emitting = True
        while self._emitting:
            begun = read_steps(self._log).begun
            for key in self.keys:
                if self._emitted[key] - len(begun.get(key, ())) < self.in_flight:
                    self._events.emit(Event(TOPIC, {'key': key, 'n': self._emitted[key]}))
                    self._emitted[key] += 1
                gevent.sleep(self.pace)

    def _all_begun(self) -> bool:
        begun = read_steps(self._log).begun
        return all(len(begun.get(key, ())) == count for key, count in self._emitted.items())

    def _catch(self, process: GuardedProcess) -> None:
        """Wait until a handler of the process begins."""

        def has_begun() -> bool:
            mine = [step for step in read_steps(self._log).steps if step.pid == process.pid]
            return bool(mine) and mine[-1].begins

        eventually(has_begun, self.patience, self._said)

    def _said(self) -> str:
        output = self.folder / 'output.log'
        return output.read_text()[-4000:] if output.exists() else 'the processes said nothing'

    # The tests.

    def test_in_order_while_instances_join_and_leave(self) -> None:
        """No event is lost, reordered or overlaps another of its key during joins and drains."""
        first = self.start()
        self.emit()
        self.handles(first)
        second, third = self.start(), self.start()
        self.handles(first, second, third)
        self.leave(first)
        self.handles(second, third)
        self.leave(second)
        fourth = self.start()
        self.handles(third, fourth)
        self.finish()

    def test_in_order_while_instances_are_killed(self) -> None:
        """The same holds when processes are killed inside a handler."""
        first, second = self.start(), self.start()
        self.emit()
        self.handles(first, second)
        self.kill(first)
        third = self.start()
        self.handles(second, third)
        self.kill(second)
        self.handles(third)
        self.finish()

    def test_in_order_while_an_instance_is_stopped_and_continued(self) -> None:
        """The same holds when a process is stopped long enough to lose its queues."""
        first, second = self.start(), self.start()
        self.emit()
        self.handles(first, second)
        self.stop(first)
        let_pass(self.stall, 'the stopped process loses its queues')
        self.handles(second)
        self.go_on(first)
        self.handles(first, second)
        self.finish()


def _holds_up_others(folder: Path) -> bool:
    """Return whether a process was stopped inside a transaction of the embedded store."""
    turns = folder / 'state' / 'events' / 'events.sqlite-turn'
    if not turns.exists():
        return False
    with turns.open() as turn:
        try:
            fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _stands_still(pid: int) -> bool:
    return Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] == 'T'
