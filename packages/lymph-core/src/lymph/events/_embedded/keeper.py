"""Keeps one instance an owner, and notices when another one dies.

A death is told by the kernel where it can (a pidfd); then the lock is asked, a few times, since a
child that was just forked may hold it for a moment longer. Everything else is found by a slow look
around, which also renews this owner and begins to tidy up. An instance that only emits is no owner;
it looks around while it emits.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from gevent.event import Event as Signal

from lymph.core._system.forks import abandon_in_children
from lymph.core._system.lock_files import LockFile
from lymph.core._system.processes import ProcessWatcher, pid_namespace
from lymph.core._system.state import make_private
from lymph.core._system.suspects import Suspects
from lymph.core._system.wakeups import WakeupSocket, wake
from lymph.core.components import Component
from lymph.core.failures import Killed, error_text, log_failure
from lymph.core.greenlets import Greenlet
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import Committer, Ticket
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.owners import (
    Found,
    dismiss,
    dismiss_former,
    enroll,
    look_around,
    renew,
)
from lymph.events._embedded.tidying import Tidying

__all__ = ['Keeper']

logger = logging.getLogger(__name__)

_SLOW = 20.0  # seconds between two looks around; a third of what an owner without a file has
_AGAIN = 0.5  # the same, while it is not what it was to the others
_BLIND = 5.0  # the same, while there are owners whose death would not be told
_BELL = 'owners'
_TAKEN_FOR_DEAD = 'other instances took this one for dead'
_CANNOT_LOOK = 'cannot look after the events of other instances'


class Keeper:
    """The owner that an instance is, from `start` to `stop`.

    `owner` is its id, 0 before and after. `keep_up(lost)` is called after every slow look; `lost`
    tells that the others took this owner for dead, and it has become a new one. `ring` is called
    with each queue that got something back from the dead. `visits` are the seconds between two
    looks of an instance that only emits.
    """

    visits = 5.0

    def __init__(
        self,
        component: Component,
        committer: Committer,
        directory: Path,
        bells: Path,
        keep_up: Callable[[bool], object],
        ring: Callable[[str], object],
    ) -> None:
        self.owner = 0
        self._component = component
        self._committer = committer
        self._directory = directory
        self._bells = bells
        self._keep_up = keep_up
        self._ring = ring
        self._namespace = pid_namespace()
        self._tidying = Tidying(component, committer)
        self._wake = Signal()
        self._processes = ProcessWatcher(self._died)
        self._watched: set[int] = set()
        self._suspects: Suspects[int] = Suspects()  # processes
        self._untold: set[int] = set()  # whose death will not be told
        self._blind = False  # whether there is anybody like that
        self._file: LockFile | None = None
        self._bell: WakeupSocket | None = None
        self._greenlet: Greenlet | None = None
        self._anew = False  # the database may be another one than that of this owner
        self._lost = False  # it is a new owner whose queues are not declared yet
        self._slow_at = 0.0  # when the next slow look is, by the monotonic clock
        self._visit_at = 0.0  # the same of the next visit
        self._abandoned = False
        abandon_in_children(self)

    def start(self, timeout: float) -> None:
        """Become an owner, if it is none; raises StoreError when that is not possible."""
        if self.owner:
            return
        try:
            self._file = self._make_file()
            self._bell = WakeupSocket(self._bells, _BELL, self._wake.set)
            self._enroll(self._file.path.name, timeout)
        except BaseException as error:
            self._let_go()
            if isinstance(error, OSError):
                raise StoreError(f'cannot use {self._directory}: {error.strerror}') from error
            raise
        wake(self._bells, _BELL)  # so that the others watch this process
        self._slow_at = time.monotonic() + _SLOW
        self._greenlet = self._component.spawn(self._run)

    def stop(self, timeout: float) -> None:
        """Be no owner any more: what is leased goes to others, temporary queues end."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        self._tidying.stop()
        if self.owner:
            owner, self.owner = self.owner, 0
            try:
                self._ring_all(self._committer.run(lambda db: dismiss(db, owner), timeout))
            except StoreError as error:
                logger.error('others will have to clean up after this instance: %s', error)
        self._let_go()

    def visit(self) -> None:
        """Look after the others now and then from an instance that is no owner. Never waits.

        Where only emitters run, nobody else ends the temporary queues of the dead, which collect
        what is emitted. Raises StoreError.
        """
        now = time.monotonic()
        if not self.owner and now >= self._visit_at:
            self._visit_at = now + self.visits
            self._committer.submit(self._look_in_thread_alone, on_done=self._visited)

    def look_after_others(self, timeout: float) -> None:
        """Dismiss those who are dead now; raises StoreError. Waits."""
        found = self._committer.run(self._look_in_thread_alone, timeout)
        self._ring_all(found.queues)

    def _look_in_thread_alone(self, db: Database) -> Found:
        return look_around(db, self.owner, self._directory, self._namespace)

    def _visited(self, ticket: Ticket[Found]) -> None:
        if ticket.error is not None:
            logger.error('%s: %s', _CANNOT_LOOK, error_text(ticket.error))
        elif ticket.value is not None:
            self._ring_all(ticket.value.queues)
            self._tidying.start(self.owner)

    def lose(self) -> None:
        """Become another owner with the next look: the database may be new or an older copy."""
        self._anew = True

    def keep_place(self) -> None:
        """Look around soon if somebody removed what others find this instance by. Never waits."""
        held, bell = self._file, self._bell
        there = held is None or held.in_place
        if not (there and (bell is None or bell.in_place)):
            self.look_soon()

    def look_soon(self) -> None:
        """Have the next slow look be now."""
        self._slow_at = 0.0
        self._wake.set()

    def abandon(self) -> None:
        """Look around no more, in a forked child."""
        self._abandoned = True

    def _enroll(self, token: str, timeout: float | None) -> None:
        namespace = self._namespace
        self.owner = self._committer.run(lambda db: enroll(db, token, namespace), timeout)

    def _make_file(self) -> LockFile:
        return LockFile(self._directory / secrets.token_hex(8))

    def _let_go(self) -> None:
        self._processes.close()
        self._watched.clear()
        self._untold.clear()
        self._suspects.clear()
        if self._bell is not None:
            self._bell.close()
        if self._file is not None:
            self._file.release()
        self._bell = self._file = None

    def _ring_all(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self._ring(queue)

    def _died(self, pid: int) -> None:
        self._watched.discard(pid)
        self._suspects.add(pid)
        self._wake.set()

    def _run(self) -> None:
        while not self._abandoned:
            slow = time.monotonic() >= self._slow_at
            if slow:
                self._slow_at = time.monotonic() + _SLOW
            try:
                self._look(slow)
            except Killed:
                raise
            except (StoreError, OSError) as error:
                logger.error('%s: %s', _CANNOT_LOOK, error_text(error))
            except BaseException as error:  # noqa: BLE001 - it looks again in any case
                log_failure(logger, error, _CANNOT_LOOK)
            self._wake.wait(self._patience())
            self._wake.clear()

    def _patience(self) -> float:
        again = self._suspects.interval()
        if again is not None:
            return again
        if self._anew or self._lost:
            return _AGAIN
        slow = max(self._slow_at - time.monotonic(), 0)
        return min(_BLIND, slow) if self._blind else slow

    def _look(self, slow: bool) -> None:
        self._suspects.checked(self._suspects.current())
        former = self._file.path.name if self._file is not None else ''
        token = self._keep_place()
        anew = self._anew
        if anew:
            self._committer.run(lambda db: dismiss_former(db, {former, token}), None)
        known, found = self._committer.run(lambda db: self._look_in_thread(db, token), None)
        if not known:
            if not anew:
                logger.error('%s; its events may be handled twice', _TAKEN_FOR_DEAD)
            self._enroll(token, None)
            self._anew, self._lost = False, True
        if found.queues:
            logger.warning('took over events of instances that ended: %s', sorted(found.queues))
        self._ring_all(found.queues)
        self._watch(found.living)
        self._blind = bool(found.unknown or self._untold)
        if slow and len(os.listdir(self._bells)) > found.bells:
            wake(self._bells)  # which removes those of the dead
        if slow:
            self._tidying.start(self.owner)
        if slow or self._lost:
            self._keep_up(self._lost)
            self._lost = False  # the next look tries again what fails before

    def _look_in_thread(self, db: Database, token: str) -> tuple[bool, Found]:
        known = renew(db, self.owner, token)
        return known, look_around(db, self.owner, self._directory, self._namespace)

    def _keep_place(self) -> str:
        """Put back what somebody cleaned away; returns the token of the owner's file."""
        assert self._file is not None
        assert self._bell is not None
        if not self._file.in_place:
            self._file.release()
            self._file = self._make_file()
        if not self._bell.in_place:
            make_private(self._bells)
            self._bell.close()
            self._bell = WakeupSocket(self._bells, _BELL, self._wake.set)
        return self._file.path.name

    def _watch(self, living: frozenset[int]) -> None:
        for pid in self._watched - living:
            self._processes.unwatch(pid)
        self._watched &= living
        self._untold &= living
        fresh = living - self._watched - self._untold - {os.getpid()}
        for pid in fresh:
            (self._watched if self._processes.watch(pid) else self._untold).add(pid)
        if fresh:
            self._wake.set()  # one may have died between the look and the watch
