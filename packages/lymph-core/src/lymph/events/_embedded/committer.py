"""One thread that runs all commands against the database, and commits them in groups.

- The hub submits commands and never waits for a disk; the thread runs them in order. Commands that
  are submitted while a transaction is written go into the next one together, so a hundred emitters
  cost one write to the disk.
- A command is a function of the connection. It runs in a transaction and may run twice: when a
  group fails, its commands run again one by one, so that one cannot spoil the others.
- `lasting` commands are on the disk when they are done (``synchronous=FULL``). The others survive
  the end of the process, but a power failure may undo them: a lease or an acknowledgement is then
  done again. The log is written in order, so a lasting command makes all before it lasting.
- A caller that runs out of time cancels its command, if that has not begun. So no more commands
  wait for a slow disk than there are callers, and one group.
- When the files are lost (see `files`), all commands fail until they are open again.
- `state` tells whether the database can be used: it cannot while its files are lost; after an error
  of the file, until a change is written again, which is tried every second; and after a command
  that did not end in time, until the thread goes on.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from lymph.config.printable import printable, quoted
from lymph.core._loop.deadlines import Expirations
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.refusals import made_before_fork
from lymph.core._system.threads import get_ident
from lymph.core.failures import log_failure
from lymph.core.monitoring.connection_states import ConnectionState, ConnectionTracker
from lymph.events._embedded.clock import Database
from lymph.events._embedded.connection import StoreConnection
from lymph.events._embedded.database import StoreError, explain
from lymph.exceptions import WrongThread

__all__ = ['Committer', 'RunCommand', 'Ticket']

logger = logging.getLogger(__name__)

T = TypeVar('T')
Command = Callable[[Database], T]

_GROUP = 256  # commands in one transaction
_CLOSE_TIMEOUT = 5.0  # seconds
#: errors of SQLite about the file; the others are about what a command wants of it
_OF_THE_FILE = (sqlite3.OperationalError, sqlite3.DatabaseError)


class RunCommand(Protocol):
    """Runs a command as `Committer.run` does, with a timeout that is known already."""

    def __call__(
        self,
        command: Command[T],
        *,
        lasting: bool = False,
        then: Callable[[T], object] = bool,
    ) -> T: ...


class Ticket(Generic[T]):
    """A submitted command, and later its `value` or `error`.

    `on_done(ticket)` is called in the hub when it is done, unless it was cancelled in time.
    """

    def __init__(
        self, command: Command[T], lasting: bool, on_done: Callable[[Ticket[T]], object]
    ) -> None:
        self.command = command
        self.lasting = lasting
        self.on_done = on_done
        self.cancelled = False
        self.settled = False
        self.value: T | None = None
        self.error: BaseException | None = None


class _Wait:
    """A caller's wait for `result`; when its time is over, it ends with `error()`."""

    def __init__(self, result: AsyncResult[Any], error: Callable[[], StoreError]) -> None:
        self._result = result
        self._error = error

    def expire(self) -> None:
        self._result.set_exception(self._error())  # a value that comes in time for the caller wins


class Committer:
    """Runs commands against the database at `path`, from `open` to `close`.

    `lost()` is called in the hub when the files are lost; then call `reopen`.
    """

    def __init__(self, path: Path, lost: Callable[[], object] = bool) -> None:
        self.path = path
        self._connection = StoreConnection(path)
        self.mutex_path = self._connection.mutex_path
        self.trouble: str | None = None  # what became of lost files, until they are open
        self._lost = lost
        self._owner = get_ident()
        self._pool: ThreadPool | None = None
        self._expirations = Expirations()  # one timer for all callers
        # changed in the hub and in the thread: each change is one step of the interpreter
        self._waiting: OrderedDict[Ticket[Any], None] = OrderedDict()
        self._taking = False
        self._working = False
        self._failure: str | None = None  # why nothing can be written; set in the thread
        self._tracker = ConnectionTracker()
        abandon_in_children(self)

    # The hub's side.

    @property
    def state(self) -> ConnectionState:
        """Whether the database can be used. Safe in any thread."""
        return self._tracker.state

    def open(self, timeout: float) -> None:
        """Open the database, and make it if it is missing; waits up to `timeout` seconds.

        Raises StoreError.
        """
        if self._working:
            raise StoreError(f'{self.path} has not answered since it was stopped')
        self._pool = ThreadPool(1)
        self.reopen(timeout)
        self._taking = True

    def reopen(self, timeout: float) -> None:
        """Open lost files again within `timeout` seconds, as `open` does; raises StoreError."""
        pool = self._pool
        if pool is None:
            raise StoreError(f'{self.path} is not open')
        error = self._within(timeout, lambda: pool.spawn(self._open).get())
        if error is not None:
            raise error
        self.trouble = self._failure = None
        self._tracker.up(printable(str(self.path)))

    def check_files(self) -> None:
        """Notice lost files, and a disk that has room again. Never waits."""
        if not self._taking:
            return
        if self._connection.is_broken():
            self.submit(lambda db: None, lasting=True)
        elif self._failure is not None and not self._working:
            self.submit(lambda db: db.note_time(now=True), lasting=True)

    def close(self, patience: float = _CLOSE_TIMEOUT) -> None:
        """Run the submitted commands and close the database. Raises nothing.

        Each step waits up to `patience` seconds. A thread that does not answer by then keeps the
        file open until the process ends.
        """
        pool = self._pool
        if pool is None:
            return
        try:
            if self._taking:
                self._finish(patience)
            self._taking = False
            self._within(patience, lambda: pool.spawn(self._connection.close).get())
            self._within(patience, pool.kill)
        except StoreError as error:
            logger.error('the file is left to the end of the process: %s', error)
        self._taking = False
        self._pool = None
        self._tracker.down('closed')
        if not self._expirations:  # otherwise somebody waits for a thread that does not answer
            self._expirations.close()

    def _finish(self, patience: float) -> None:
        try:
            self.run(lambda db: None, patience)  # after all other commands
        except StoreError:
            if self._connection.gone is None:
                raise

    def abandon(self) -> None:
        """Leave the connection to the parent process, which would see it closed."""
        self._connection.abandon()
        self._tracker.down(made_before_fork('event system'))
        self._taking = False
        self._pool = None
        self._waiting.clear()

    def submit(
        self,
        command: Command[T],
        lasting: bool = False,
        on_done: Callable[[Ticket[T]], object] = bool,
    ) -> Ticket[T]:
        """Submit a command and return at once; raises StoreError when the database is not open."""
        if not self._taking:
            raise StoreError(f'{self.path} is not open')
        ticket = Ticket(command, lasting, on_done)
        self._waiting[ticket] = None
        self._go_on()
        return ticket

    def run(
        self,
        command: Command[T],
        timeout: float | None,
        lasting: bool = False,
        then: Callable[[T], object] = bool,
    ) -> T:
        """Submit a command and wait for its result, up to `timeout` seconds (None: no limit).

        `then(result)` is called in the hub, also when nobody waits any more. Raises StoreError when
        the database fails or the time is over, whatever the command raises, and WrongThread in
        another native thread than the one that made the committer.
        """
        if get_ident() != self._owner:
            raise WrongThread('an event system was used')
        result: AsyncResult[T] = AsyncResult()

        def done(ticket: Ticket[T]) -> None:
            if ticket.error is not None:
                result.set_exception(ticket.error)
            else:
                result.set(ticket.value)  # the caller goes on in a later turn of the loop
                then(ticket.value)  # type: ignore[arg-type]

        ticket = self.submit(command, lasting, done)
        if timeout is not None:
            wait = _Wait(result, partial(self._timed_out, timeout))
            expiry = self._expirations.add(wait, time.monotonic() + timeout)
        try:
            return cast(T, result.get())
        except BaseException:
            ticket.cancelled = True
            self._waiting.pop(ticket, None)
            raise
        finally:
            if timeout is not None:
                self._expirations.discard(wait, expiry)

    def _within(self, seconds: float | None, wait: Callable[[], T]) -> T:
        mine = gevent.Timeout(seconds)
        try:
            with mine:
                return wait()
        except gevent.Timeout as error:
            if error is not mine:
                raise
        raise self._timed_out(seconds)

    def _timed_out(self, seconds: float | None) -> StoreError:
        error = StoreError(
            f'{self.path} did not answer within {seconds} s; '
            'its disk is slow, or a stopped process holds it'
        )
        self._tracker.down(printable(str(error)))
        return error

    def _go_on(self) -> None:
        if self._waiting and not self._working and self._pool is not None:
            self._working = True
            self._pool.spawn(self._work).rawlink(self._worked)

    def _worked(self, result: Any) -> None:
        self._working = False
        self._go_on()
        for ticket in result.get():
            if ticket.settled:
                try:
                    ticket.on_done(ticket)
                except Exception as error:  # noqa: BLE001 - the other callers wait for theirs
                    log_failure(logger, error, '%s: what follows a command failed', self.path)
        if self._connection.gone is not None and self.trouble is None:
            self.trouble = self._connection.gone
            self._lost()
        # the state is what it was after most commands
        if self.trouble or self._failure or not self._tracker.state.connected:
            self._note_state()

    def _note_state(self) -> None:
        trouble = self.trouble or self._failure
        if trouble is not None:
            self._tracker.down(printable(trouble))
        elif self._taking:
            self._tracker.up(printable(str(self.path)))

    # The thread's side: no greenlets, no logs.

    def _open(self) -> Exception | None:
        # gevent prints the traceback of an error that leaves a thread
        try:
            self._connection.open()
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits
            return error
        return None

    def _work(self) -> list[Ticket[Any]]:
        group: list[Ticket[Any]] = []
        with suppress(KeyError):
            while len(group) < _GROUP:
                group.append(self._waiting.popitem(last=False)[0])
        try:
            self._commit(group)
        except BaseException as error:  # noqa: BLE001 - raised again in whoever waits
            for ticket in group:
                if not ticket.settled:
                    ticket.error, ticket.settled = error, True
        return group

    def _commit(self, group: list[Ticket[Any]]) -> None:
        error: Exception
        try:
            if self._transact(group):
                self._failure = None
            return
        except sqlite3.Error as failure:
            error = StoreError(explain(failure, self.path))
            error.__cause__ = failure
            if type(failure) in _OF_THE_FILE:
                self._failure = str(error)
            alone = len(group) == 1 or 'locked' in str(failure)
        except UnicodeEncodeError as failure:  # SQLite keeps text as UTF-8
            error = StoreError(f'{self.path} cannot keep {quoted(failure.object)}: no valid text')
            alone = len(group) == 1
        except Exception as failure:  # noqa: BLE001 - raised again in whoever waits
            error = failure
            alone = len(group) == 1 or type(failure) is StoreError  # of the file, not of a command
        for ticket in group:
            if alone:
                ticket.error, ticket.settled = error, True
            else:
                self._commit([ticket])

    def _transact(self, group: list[Ticket[Any]]) -> bool:
        wanted: list[Ticket[Any]] = []

        def run(db: Database) -> None:
            # only now: other processes may have had the mutex for long
            wanted.extend(ticket for ticket in group if not ticket.cancelled)
            for ticket in wanted:
                ticket.value = ticket.command(db)

        changed = self._connection.transact(run, any(ticket.lasting for ticket in group))
        for ticket in wanted:
            ticket.settled = True
        return changed
