"""One thread that runs all commands against the database, and commits them in groups.

- The hub hands in commands and never waits for a disk; the thread runs them in order. What is
  handed in while a transaction is written goes into the next one together, so a hundred emitters
  cost one write to the disk.
- A command is a function of the connection. It runs within a transaction and may run twice: when a
  group fails, its commands are run again one by one, so that one cannot spoil the others.
- `lasting` commands are on the disk when they are done (``synchronous=FULL``). The others survive
  the end of the process, but a power failure may undo them; what is undone, such as a lease or an
  acknowledgement, is then done again. The log is written in order, so none of them is undone that
  came before a lasting one.
- Whoever has waited for too long takes the command back, if it has not begun. Nothing is kept of
  it, so that what waits for a slow disk is never more than those who wait and one group.
- Files that go away under it (see `files`) fail what was handed in, and everything after it until
  they were opened again.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from lymph.config.printable import quoted
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.threads import get_ident
from lymph.core.failures import log_failure
from lymph.events._embedded.clock import Database
from lymph.events._embedded.database import StoreError, explain
from lymph.events._embedded.session import Session
from lymph.exceptions import WrongThread

__all__ = ['Committer', 'Ticket']

logger = logging.getLogger(__name__)

T = TypeVar('T')
Command = Callable[[Database], T]

_GROUP = 256  # commands in one transaction
_ENDING = 5.0  # seconds


class Ticket(Generic[T]):
    """A command that was handed in, and later its `value` or `error`.

    `on_done(ticket)` is called in the hub afterwards, unless it was cancelled in time.
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


class Committer:
    """Runs commands against the database at `path`, from `open` to `close`.

    `lost()` is called in the hub when the files have gone away; then `reopen` is to be called.
    """

    def __init__(self, path: Path, lost: Callable[[], object] = bool) -> None:
        self.path = path
        self._session = Session(path)
        self.turns = self._session.turns
        self.trouble: str | None = None  # what became of the files, until they are open again
        self._lost = lost
        self._owner = get_ident()
        self._pool: ThreadPool | None = None
        # each change of it is one step of the interpreter, so the hub and the thread may make it
        self._waiting: OrderedDict[Ticket[Any], None] = OrderedDict()
        self._taking = False
        self._working = False
        abandon_in_children(self)

    # The hub's side.

    def open(self, timeout: float) -> None:
        """Open the file, making it if it is not there; raises StoreError."""
        if self._working:
            raise StoreError(f'{self.path} has not answered since it was stopped')
        self._pool = ThreadPool(1)
        self.reopen(timeout)
        self._taking = True

    def reopen(self, timeout: float) -> None:
        """Open again what went away, making it if it is not there; raises StoreError."""
        pool = self._pool
        if pool is None:
            raise StoreError(f'{self.path} is not open')
        error = self._within(timeout, lambda: pool.spawn(self._open).get())
        if error is not None:
            raise error
        self.trouble = None

    def look(self) -> None:
        """Notice files that have gone away though nobody has anything to commit. Never waits."""
        if self._taking and self._session.is_broken():
            self.submit(lambda db: None, lasting=True)

    def close(self, patience: float = _ENDING) -> None:
        """Run what was handed in and close the file.

        A thread that does not answer within `patience` seconds is left to the end of the process.
        """
        pool = self._pool
        if pool is None:
            return
        try:
            if self._taking:
                self._finish(patience)
            self._taking = False
            self._within(patience, lambda: pool.spawn(self._session.close).get())
            self._within(patience, pool.kill)
        except StoreError as error:
            logger.error('the file is left to the end of the process: %s', error)
        self._taking = False
        self._pool = None

    def _finish(self, patience: float) -> None:
        try:
            self.run(lambda db: None, patience)  # after everything else
        except StoreError:
            if self._session.gone is None:
                raise

    def abandon(self) -> None:
        """Leave the file to the parent process: closing it here would be seen there."""
        self._session.abandon()
        self._taking = False
        self._pool = None
        self._waiting.clear()

    def submit(
        self,
        command: Command[T],
        lasting: bool = False,
        on_done: Callable[[Ticket[T]], object] = bool,
    ) -> Ticket[T]:
        """Hand in a command and return at once."""
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
        """Hand in a command and wait for its result.

        `then(result)` is called in the hub, also when nobody waits any more. Raises StoreError when
        the command failed, or was not done within `timeout` seconds (None: no limit); WrongThread
        in another native thread than the one that made this.
        """
        if get_ident() != self._owner:
            raise WrongThread('an event system was used')
        result: AsyncResult[T] = AsyncResult()

        def done(ticket: Ticket[T]) -> None:
            if ticket.error is not None:
                result.set_exception(ticket.error)
            else:
                result.set(ticket.value)  # whoever waits goes on in a later turn of the hub
                then(ticket.value)  # type: ignore[arg-type]

        ticket = self.submit(command, lasting, done)
        try:
            return cast(T, self._within(timeout, result.get))
        except BaseException:
            ticket.cancelled = True
            self._waiting.pop(ticket, None)
            raise

    def _within(self, seconds: float | None, wait: Callable[[], T]) -> T:
        mine = gevent.Timeout(seconds)
        try:
            with mine:
                return wait()
        except gevent.Timeout as error:
            if error is not mine:
                raise
        raise StoreError(
            f'{self.path} did not answer within {seconds} s; '
            'its disk is slow, or a stopped process holds it'
        )

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
                except Exception as error:  # noqa: BLE001 - the others wait for theirs
                    log_failure(logger, error, '%s: what follows a command failed', self.path)
        if self._session.gone is not None and self.trouble is None:
            self.trouble = self._session.gone
            self._lost()

    # The thread's side: it knows no greenlets and writes no log.

    def _open(self) -> Exception | None:
        # gevent would print the traceback of an error that left the thread by itself
        try:
            self._session.open()
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
            self._transact(group)
            return
        except sqlite3.Error as failure:
            error = StoreError(explain(failure, self.path))
            error.__cause__ = failure
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

    def _transact(self, group: list[Ticket[Any]]) -> None:
        wanted: list[Ticket[Any]] = []

        def run(db: Database) -> None:
            # now, because others may have had the turn for long
            wanted.extend(ticket for ticket in group if not ticket.cancelled)
            for ticket in wanted:
                ticket.value = ticket.command(db)

        self._session.transact(run, any(ticket.lasting for ticket in group))
        for ticket in wanted:
            ticket.settled = True
