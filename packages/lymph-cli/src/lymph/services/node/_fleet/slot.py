"""One place of a definition, such as `echo.2`, and the process in it.

A greenlet of the slot runs the command again and again, as its supervision decides. A process that
somebody else has started and seen to be ready is offered to it, and takes over from the one before.
"""

from __future__ import annotations

from typing import Any

import gevent
from gevent.event import Event

from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.exits import (
    CANNOT_RUN,
    describe_exit,
    in_order,
    report,
    why_not_run,
)
from lymph.services.node._fleet.process import Process
from lymph.services.node._fleet.supervision import Decision, Supervision
from lymph.services.node._fleet.surroundings import FleetSurroundings
from lymph.services.node._steering.exceptions import NotReady

__all__ = ['Slot']


class Slot:
    """Runs one process of a definition at a time.

    `process` is the one that runs, `last_exit` the exit code of the one before (negative for a
    signal), `starts` the number of processes so far.
    """

    def __init__(self, name: str, definition: Definition, around: FleetSurroundings) -> None:
        self.name = name
        self.definition = definition
        self.process: Process | None = None
        self.last_exit: int | None = None
        self.starts = 0
        self.supervision = Supervision(around.policy, definition.restart)
        self._around = around
        self._stop = Event()
        self._woken = Event()
        self._offer: tuple[Process, Event] | None = None
        self._runner: gevent.Greenlet[[], None] | None = None
        self._beside: set[Process] = set()  # started, or told to end, beside `process`
        self._retiring: set[gevent.Greenlet[[Process], None]] = set()
        self._orderly = True
        self._unwanted = False  # somebody has said that nothing is to run here
        self._closed = ''  # why nothing is to run here any more

    @property
    def orderly(self) -> bool:
        """Whether the process did not keep failing, and stopped by itself with nothing cut."""
        return self._orderly and not self.supervision.failing

    @property
    def halted(self) -> bool:
        """Whether somebody has stopped it, even if its process has not ended yet."""
        return self._unwanted

    @property
    def at_rest(self) -> bool:
        """Whether nothing runs here and nothing will by itself, though nobody has stopped it."""
        return not self._is_active() and self.supervision.state in ('finished', 'failed')

    def begin(self) -> None:
        """Start unless it runs, without waiting; what waits for its next start is started now."""
        if self._closed:
            return
        self._unwanted = False
        self.supervision.forgive()
        if not self._is_active():
            self._stop.clear()
            self._runner = gevent.spawn(self._run)
        elif self.supervision.state in ('waiting', 'failed'):
            self._woken.set()

    def start(self) -> None:
        """Start unless it runs, and wait until it is ready; raises NotReady."""
        self._unwanted = False
        if self._stop.is_set():
            self.join()  # it is on its way down
        self._start()

    def restart(self, definition: Definition, *, overlap: bool) -> None:
        """Have a new process of `definition` take over, and wait until it has.

        With `overlap` it is started beside the one that runs, which is stopped when it is ready.
        Raises NotReady; with `overlap` the one before goes on then.
        """
        self._unwanted = False
        if not overlap or self.process is None:
            self._end()
            self.join()
            self.adopt(definition)
            self._start()
            return
        process = self._launched(definition)
        self._beside.add(process)
        try:
            self._await_ready(process)
            self._expect_wanted()
        except NotReady:
            process.close()
            raise
        finally:
            self._beside.discard(process)
        self.adopt(definition)
        self._give(process).wait()
        self._expect_wanted()
        gevent.joinall(tuple(self._retiring))

    def adopt(self, definition: Definition) -> None:
        """Take another definition, for the next start and for what follows an end."""
        self.definition = definition
        self.supervision.restart = definition.restart
        if self.process is not None:
            self.process.allow(self._around.patience_of(definition))

    def halt(self) -> None:
        """Stop, and wait until nothing runs here."""
        self.stop()
        self.join()

    def stop(self) -> None:
        """Stop without waiting."""
        self._unwanted = True
        self._end()

    def close(self, reason: str = 'the node is stopping') -> None:
        """Stop without waiting, for good; `reason` is what a start is told from now on."""
        self._closed = self._closed or reason
        self.stop()

    def kill(self) -> None:
        """Kill what runs here at once, for good."""
        self.close()
        for process in (self.process, *self._beside):
            if process is not None:
                process.kill()

    def join(self) -> None:
        """Wait until nothing runs here any more."""
        if self._runner is not None:
            self._runner.join()
        gevent.joinall(tuple(self._retiring))

    def _is_active(self) -> bool:
        return self._runner is not None and not self._runner.ready()

    def _end(self) -> None:
        self._stop.set()
        self._woken.set()
        if not self._is_active():
            self.supervision.happened('stop')

    def _start(self) -> None:
        process = self.process
        if process is None:
            self.supervision.forgive()
            try:
                process = self._launched(self.definition)
            except NotReady:
                if not self._unwanted:
                    self.begin()  # it is tried again, as what fails later is
                raise
            self._give(process)
        self._await_ready(process)

    def _expect_wanted(self) -> None:
        if self._closed or self._unwanted:
            raise NotReady(f'{self.name}: {self._closed or "it was stopped meanwhile"}')

    def _launched(self, definition: Definition) -> Process:
        self._expect_wanted()
        try:
            process = self._around.start(self.name, definition)
        except OSError as error:
            raise NotReady(f'{self.name}: {why_not_run(definition, error)}') from error
        try:
            self._expect_wanted()  # to start it took a moment
        except NotReady:
            process.close()
            raise
        return process

    def _give(self, process: Process) -> Event:
        """Hand a process to the greenlet of this slot; the event is set when it has it."""
        taken = Event()
        self._offer = process, taken
        self._woken.set()
        if not self._is_active():
            self._stop.clear()
            self._runner = gevent.spawn(self._run)
        return taken

    def _await_ready(self, process: Process) -> None:
        timeout = self._around.policy.ready_timeout
        reasons: list[Any] = [process.ready, process.end, self._stop]
        gevent.wait(reasons, timeout=timeout, count=1)
        self._expect_wanted()
        if process.end.ready():
            how = f'the new process {describe_exit(process.end.get()[0])} before it was ready'
        elif process.ready.is_set():
            return
        elif self._stop.is_set():
            how = 'it was stopped meanwhile'
        else:
            how = f'the new process was not ready within {timeout:g} s'
        raise NotReady(f'{self.name}: {how}')

    def _run(self) -> None:
        while not self._stop.is_set():
            self.supervision.happened('start')
            exit_code, lived = self._live()
            if self.supervision.state == 'stopping':
                self._orderly = self._orderly and in_order(exit_code)
            decision = self.supervision.ended(exit_code, lived)
            self._report(exit_code, lived, decision)
            if decision.delay is not None:
                self._woken.wait(decision.delay)
            elif self._offer is None:
                # With an offer, made while this process ended, the offered one runs next.
                break
        if self._stop.is_set():
            # From `waiting` or `failed`; after an end that was asked for, it is `stopped` already.
            self.supervision.happened('stop')
            self._decline()
        else:
            # Spawned, because `at_rest` is true only after this greenlet has ended.
            gevent.spawn(self._around.settled)

    def _live(self) -> tuple[int, float]:
        """Run the command once; returns its exit code and how long it lived."""
        self.starts += 1
        # `start` and `restart` launch a process themselves, wait for it to be ready, and offer it.
        process = self._take()
        if process is None:
            try:
                process = self._around.start(self.name, self.definition)
            except OSError as error:
                self._say(why_not_run(self.definition, error))
                # Treated as a short life, so it is tried again: the program may be there by then.
                self.last_exit = CANNOT_RUN
                return CANNOT_RUN, 0.0
        self._watch(process)
        while not (process.end.ready() or self._stop.is_set()):
            reasons: list[Any] = [process.end, self._stop, self._woken]
            gevent.wait(reasons, count=1)
            successor = self._take(process)
            if successor is not None:
                self.starts += 1
                self.supervision.happened('replace')
                process = successor
                self._watch(process)
        if self._stop.is_set():
            # Before `close`, which may take as long as the patience: `lymph node ps` shows
            # `stopping` meanwhile, and the end does not count as a failure.
            self.supervision.happened('stop')
        self._orderly = process.close()
        self.process = None
        self.last_exit, lived = process.end.get()
        return self.last_exit, lived

    def _take(self, former: Process | None = None) -> Process | None:
        """Return the process that was offered, if there is one; `former` has to leave for it."""
        self._woken.clear()
        if self._offer is None:
            return None
        (process, taken), self._offer = self._offer, None
        if former is not None:
            self._beside.add(former)
            retiring = gevent.spawn(self._retire, former)
            self._retiring.add(retiring)
            retiring.link(self._retiring.discard)
        taken.set()
        return process

    def _decline(self) -> None:
        """End a process that was offered too late to run here."""
        if self._offer is not None:
            (process, taken), self._offer = self._offer, None
            process.close()
            taken.set()

    def _retire(self, process: Process) -> None:
        in_order = process.close()
        self._beside.discard(process)
        self.last_exit, _ = process.end.get()
        how = describe_exit(self.last_exit) if in_order else 'was killed, as it did not end'
        self._say(f'pid {process.pid}, which was replaced, {how}')

    def _watch(self, process: Process) -> None:
        self.process = process

        def ready(_event: object) -> None:
            if self.process is process:
                self.supervision.happened('ready')

        process.ready.rawlink(ready)

    def _say(self, words: str) -> None:
        self._around.output.say(f'{self.name}: {words}')

    def _report(self, exit_code: int, lived: float, decision: Decision) -> None:
        restart, policy = self.definition.restart, self._around.policy
        for words in report(exit_code, lived, decision, restart, policy):
            self._say(words)
