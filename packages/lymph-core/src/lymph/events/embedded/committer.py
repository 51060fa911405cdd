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
"""

from __future__ import annotations

import logging
import os
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
from lymph.core.failures import log_failure
from lymph.core.forks import abandon_in_children
from lymph.core.threads import get_ident
from lymph.events.embedded.clock import Database
from lymph.events.embedded.database import StoreError, explain, open_database
from lymph.events.embedded.turns import Turns
from lymph.exceptions import WrongThread

__all__ = ['Committer', 'Ticket']

logger = logging.getLogger(__name__)

T = TypeVar('T')
Command = Callable[[Database], T]

_GROUP = 256  # commands in one transaction
_ENDING = 5.0  # seconds

# SQLite forbids a child even to close what its parent opened, which forgetting it would do.
_left_to_parents: list[object] = []


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
    """Runs commands against the database at `path`, from `open` to `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._owner = get_ident()
        self._pool: ThreadPool | None = None
        # each change of it is one step of the interpreter, so the hub and the thread may make it
        self._waiting: OrderedDict[Ticket[Any], None] = OrderedDict()
        self._taking = False
        self._working = False
        self._connection: Database | None = None
        self._turns: Turns | None = None
        self._file: tuple[int, int] | None = None
        self._synchronous = ''
        abandon_in_children(self)

    # The hub's side.

    def open(self, timeout: float) -> None:
        """Open the file, making it if it is not there; raises StoreError."""
        if self._working:
            raise StoreError(f'{self.path} has not answered since it was stopped')
        self._pool = pool = ThreadPool(1)
        self._within(timeout, lambda: pool.spawn(self._open).get())
        self._taking = True

    def close(self, patience: float = _ENDING) -> None:
        """Run what was handed in and close the file.

        A thread that does not answer within `patience` seconds is left to the end of the process.
        """
        pool = self._pool
        if pool is None:
            return
        try:
            if self._taking:
                self.run(lambda db: None, patience)  # after everything else
            self._taking = False
            self._within(patience, lambda: pool.spawn(self._close).get())
            self._within(patience, pool.kill)
        except StoreError as error:
            logger.error('the file is left to the end of the process: %s', error)
        self._taking = False
        self._pool = None

    def abandon(self) -> None:
        """Leave the file to the parent process: closing it here would be seen there."""
        _left_to_parents.append(self._connection)
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

    # The thread's side: it knows no greenlets and writes no log.

    def _open(self) -> None:
        try:
            # SQLite would give it the mode of the umask; an empty file is a new database
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            turns = Turns(self.path.with_name(f'{self.path.name}-turn'))
        except OSError as error:
            raise StoreError(
                f'cannot write {error.filename}: {error.strerror}; '
                'name a directory that this user can write to'
            ) from error
        try:
            with turns.take():
                self._connection = open_database(self.path)
            self._file = _identify(self.path)
        except BaseException:
            turns.close()
            raise
        self._turns = turns

    def _close(self) -> None:
        if self._connection is not None and self._turns is not None:
            with self._turns.take():
                self._connection.close()
            self._turns.close()
            self._connection = None

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
            alone = len(group) == 1 or isinstance(failure, StoreError)
        for ticket in group:
            if alone:
                ticket.error, ticket.settled = error, True
            else:
                self._commit([ticket])

    def _transact(self, group: list[Ticket[Any]]) -> None:
        connection, turns = self._connection, self._turns
        if connection is None or turns is None:
            raise StoreError(f'{self.path} is not open')
        synchronous = 'FULL' if any(ticket.lasting for ticket in group) else 'NORMAL'
        with turns.take():
            if self._synchronous != synchronous:
                connection.execute(f'PRAGMA synchronous = {synchronous}')
                self._synchronous = synchronous
            connection.execute('BEGIN IMMEDIATE')
            before = connection.total_changes
            try:
                # now, because others may have had the turn for long
                wanted = [ticket for ticket in group if not ticket.cancelled]
                for ticket in wanted:
                    ticket.value = ticket.command(connection)
                if connection.total_changes != before:
                    connection.note_time()
                self._check_file()
                connection.execute('COMMIT')
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise
        for ticket in wanted:
            ticket.settled = True

    def _check_file(self) -> None:
        # SQLite goes on writing to a file that has lost its name, where nobody will find it
        if _identify(self.path) != self._file:
            raise StoreError(
                f'{self.path} was removed or replaced while it was in use; start again'
            )


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
