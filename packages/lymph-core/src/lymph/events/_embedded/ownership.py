"""This instance as an owner of leases and queues, and what it does about owners that died.

=========  ============================================  ==========================================
state      `owner`                                       left for
=========  ============================================  ==========================================
absent     0                                             known, by `start`
known      its id                                        absent, by `stop`; unknown, when others
                                                         took it for dead or the database was lost
unknown    its former id, which owns nothing any more    known, by a check that enrolls it anew
=========  ============================================  ==========================================

A known owner checks the others: soon after the kernel reported a death, and every `_INTERVAL`
seconds. The slow check also renews the owner's row, puts back files that were removed, and starts
the cleanup. An instance that only emits is absent; it checks the others now and then as it emits.
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
from lymph.core._system.suspects import Suspects
from lymph.core._system.wakeups import WakeupSocket, wake
from lymph.core.components import Component
from lymph.core.failures import Killed, error_text, log_failure
from lymph.core.greenlets import Greenlet
from lymph.events._embedded.cleanup import Cleanup
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import Committer, Ticket
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.owners import (
    OtherOwners,
    check_others,
    enroll,
    remove_former,
    remove_owner,
    renew,
)

__all__ = ['Ownership']

logger = logging.getLogger(__name__)

_INTERVAL = 20.0  # seconds between slow checks; a third of what an owner without a file is given
_UNKNOWN_INTERVAL = 0.5  # the same, while this owner is not known to the others
_BLIND_INTERVAL = 5.0  # the same, while there are owners whose death would not be reported
_SOCKET = 'owners'
_CANNOT_CHECK = 'cannot check whether other instances are alive'


class Ownership:
    """Makes this instance an owner from `start` to `stop`; see the states above.

    ==================  ============================================================================
    `directory`         has one lock file for each owner
    `sockets`           has the wake-up sockets of owners and queues
    `after_check`       called after each slow check with True if this owner was unknown: it has
                        another id now, and has to declare its queues again
    `wake_queue`        called with each queue that got events back from a dead owner
    `emitter_interval`  seconds between two checks of an instance that only emits
    ==================  ============================================================================
    """

    emitter_interval = 5.0

    def __init__(
        self,
        component: Component,
        committer: Committer,
        directory: Path,
        sockets: Path,
        after_check: Callable[[bool], object],
        wake_queue: Callable[[str], object],
    ) -> None:
        self.owner = 0
        self._component = component
        self._committer = committer
        self._directory = directory
        self._sockets = sockets
        self._after_check = after_check
        self._wake_queue = wake_queue
        self._namespace = pid_namespace()
        self._cleanup = Cleanup(component, committer)
        self._wake = Signal()
        self._processes = ProcessWatcher(self._died)
        self._watched: set[int] = set()
        self._suspects: Suspects[int] = Suspects()  # processes
        self._unwatched: set[int] = set()  # processes whose death will not be reported
        self._blind = False  # whether there are owners whose death will not be reported
        self._file: LockFile | None = None
        self._socket: WakeupSocket | None = None
        self._greenlet: Greenlet | None = None
        self._database_lost = False  # the database may not be the one that knows this owner
        self._undeclared = False  # it has another id, whose queues are not declared yet
        self._check_at = 0.0  # when the next slow check is, by the monotonic clock
        self._emitter_check_at = 0.0  # the same, for an instance that only emits
        self._abandoned = False
        abandon_in_children(self)

    def start(self, timeout: float) -> None:
        """Become known, unless it is; waits up to `timeout` seconds. Raises StoreError."""
        if self.owner:
            return
        try:
            self._file = self._make_file()
            self._socket = WakeupSocket(self._sockets, _SOCKET, self._wake.set)
            self._enroll(self._file.path.name, timeout)
        except BaseException as error:
            self._release()
            if isinstance(error, OSError):
                raise StoreError(f'cannot use {self._directory}: {error.strerror}') from error
            raise
        wake(self._sockets, _SOCKET)  # so that the others watch this process
        self._check_at = time.monotonic() + _INTERVAL
        self._greenlet = self._component.spawn(self._run)

    def stop(self, timeout: float) -> None:
        """Become absent: leased events go to others, temporary queues are deleted.

        Waits up to `timeout` seconds; raises nothing.
        """
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None
        self._cleanup.stop()
        if self.owner:
            owner, self.owner = self.owner, 0
            try:
                self._wake_queues(self._committer.run(lambda db: remove_owner(db, owner), timeout))
            except StoreError as error:
                logger.error('others will have to clean up after this instance: %s', error)
        self._release()

    def check_as_emitter(self) -> None:
        """Check the others now and then from an instance that only emits. Never waits.

        Where nobody consumes, nobody else deletes the temporary queues of dead owners, which
        collect what is emitted. Raises StoreError when the store is not open.
        """
        now = time.monotonic()
        if not self.owner and now >= self._emitter_check_at:
            self._emitter_check_at = now + self.emitter_interval
            self._committer.submit(self._check_in_thread, on_done=self._checked_as_emitter)

    def check_now(self, timeout: float) -> None:
        """Remove the owners that are dead now; waits up to `timeout` seconds. Raises StoreError."""
        others = self._committer.run(self._check_in_thread, timeout)
        self._wake_queues(others.queues)

    def database_lost(self) -> None:
        """Enroll anew with the next check: the database may be a new one, or an older copy."""
        self._database_lost = True

    def check_files(self) -> None:
        """Do a slow check soon if somebody removed the file or the socket. Never waits."""
        file, socket = self._file, self._socket
        if not ((file is None or file.in_place) and (socket is None or socket.in_place)):
            self.check_soon()

    def check_soon(self) -> None:
        """Do the next slow check as soon as possible. Never waits."""
        self._check_at = 0.0
        self._wake.set()

    def abandon(self) -> None:
        """Check nothing any more, in a forked child."""
        self._abandoned = True

    def _enroll(self, token: str, timeout: float | None) -> None:
        namespace = self._namespace
        self.owner = self._committer.run(lambda db: enroll(db, token, namespace), timeout)

    def _make_file(self) -> LockFile:
        return LockFile(self._directory / secrets.token_hex(8))

    def _release(self) -> None:
        self._processes.close()
        self._watched.clear()
        self._unwatched.clear()
        self._suspects.clear()
        if self._socket is not None:
            self._socket.close()
        if self._file is not None:
            self._file.release()
        self._socket = self._file = None

    def _wake_queues(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self._wake_queue(queue)

    def _died(self, pid: int) -> None:
        self._watched.discard(pid)
        self._suspects.add(pid)
        self._wake.set()

    def _run(self) -> None:
        while not self._abandoned:
            slow = time.monotonic() >= self._check_at
            if slow:
                self._check_at = time.monotonic() + _INTERVAL
            try:
                self._check(slow)
            except Killed:
                raise
            except (StoreError, OSError) as error:
                logger.error('%s: %s', _CANNOT_CHECK, error_text(error))
            except BaseException as error:  # noqa: BLE001 - the next check comes in any case
                log_failure(logger, error, _CANNOT_CHECK)
            self._wake.wait(self._interval())
            self._wake.clear()

    def _interval(self) -> float:
        """Return the seconds until the next check."""
        suspected = self._suspects.interval()
        if suspected is not None:
            return suspected
        if self._database_lost or self._undeclared:
            return _UNKNOWN_INTERVAL
        slow = max(self._check_at - time.monotonic(), 0)
        return min(_BLIND_INTERVAL, slow) if self._blind else slow

    def _check(self, slow: bool) -> None:
        self._suspects.checked(self._suspects.current())
        former = self._file.path.name if self._file is not None else ''
        token = self._put_back_files()
        others = self._renew(former, token)
        if others.queues:
            logger.warning('took over events of instances that ended: %s', sorted(others.queues))
        self._wake_queues(others.queues)
        self._watch(others.living)
        self._blind = bool(others.elsewhere or self._unwatched)
        if slow and len(os.listdir(self._sockets)) > others.sockets:
            wake(self._sockets)  # which removes the sockets of dead processes
        if slow:
            self._cleanup.start(self.owner)
        if slow or self._undeclared:
            self._after_check(self._undeclared)
            self._undeclared = False  # unless that has raised; then the next check tries again

    def _renew(self, former: str, token: str) -> OtherOwners:
        """Renew this owner, or enroll it anew if it is unknown; return the other owners.

        `former` and `token` are the names of its file before and after files were put back.
        """
        database_lost = self._database_lost
        if database_lost:
            self._committer.run(lambda db: remove_former(db, {former, token}), None)

        def renew_and_check(db: Database) -> tuple[bool, OtherOwners]:
            return renew(db, self.owner, token), self._check_in_thread(db)

        known, others = self._committer.run(renew_and_check, None)
        if not known:
            if not database_lost:
                logger.error(
                    'other instances took this one for dead; its events may be handled twice'
                )
            self._enroll(token, None)
            self._database_lost, self._undeclared = False, True
        return others

    def _check_in_thread(self, db: Database) -> OtherOwners:
        return check_others(db, self.owner, self._directory, self._namespace)

    def _checked_as_emitter(self, ticket: Ticket[OtherOwners]) -> None:
        if ticket.error is not None:
            logger.error('%s: %s', _CANNOT_CHECK, error_text(ticket.error))
        elif ticket.value is not None:
            self._wake_queues(ticket.value.queues)
            self._cleanup.start(self.owner)

    def _put_back_files(self) -> str:
        """Make the file and the socket again if they were removed; return the file's name."""
        assert self._file is not None
        assert self._socket is not None
        if not self._file.in_place:
            removed, self._file = self._file, self._make_file()
            removed.release()
        self._socket.restore()
        return self._file.path.name

    def _watch(self, living: frozenset[int]) -> None:
        """Watch the processes of the other owners, and no others."""
        for pid in self._watched - living:
            self._processes.unwatch(pid)
        self._watched &= living
        self._unwatched &= living
        fresh = living - self._watched - self._unwatched - {os.getpid()}
        for pid in fresh:
            (self._watched if self._processes.watch(pid) else self._unwatched).add(pid)
        if fresh:
            self._wake.set()  # one may have died after the check and before it was watched
