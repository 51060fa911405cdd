"""Events on one machine: queues in one SQLite file that all processes share.

::

    <state>/events/events.sqlite     queues and what is in them; see `database`
    <state>/events/owners/           a lock file of each instance that consumes; see `owners`
    <state>/events/bells/            a wake-up socket of each consumer of a queue, and of each owner

Whoever puts an event into a queue wakes its consumers (`lymph.core._system.wakeups`); nobody polls.
The state directory has to be on a local disk.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from gevent.lock import RLock

from lymph.config import ConfigView, Location
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.refusals import Availability
from lymph.core._system.state import state_directory
from lymph.core._system.wakeups import Waker, WakeupSocket
from lymph.core.events import Event
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.core.options import refuse_unknown
from lymph.events._embedded.claims import HeldClaims
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import Committer
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.dead_letters import EmbeddedDeadLetters
from lymph.events._embedded.messages import publish
from lymph.events._embedded.owners import expect_known
from lymph.events._embedded.ownership import Ownership
from lymph.events._embedded.queues import EmbeddedQueues
from lymph.events._embedded.recovery import Recovery
from lymph.events._embedded.routing import Routes, declare, has_queue, missing, withdraw
from lymph.events._embedded.store import DatabaseStore
from lymph.events.backoff import Backoff
from lymph.events.base import BaseEventSystem, Subscription
from lymph.events.checks import check_declaration, check_emission, check_subscription
from lymph.events.consumption import Consumption
from lymph.events.envelope import pack_event
from lymph.exceptions import ConfigurationError, EmitFailure, SubscriptionError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['EmbeddedEventSystem']

logger = logging.getLogger(__name__)

T = TypeVar('T')

_LONGEST_CONFIRM = 24 * 3600.0  # seconds
_SHORTEST_STALL = 0.1  # seconds; claims are renewed several times in it
_LONGEST_STALL = 60.0  # seconds; an owner without a file that does not renew its row is dead then


@dataclass
class _ConsumedQueue:
    """A queue that this instance consumes."""

    queue: str
    subscription: Subscription
    socket: WakeupSocket | None = None

    @property
    def in_place(self) -> bool:
        """Whether nobody has removed the socket."""
        return self.socket is None or self.socket.in_place

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()


class EmbeddedEventSystem(BaseEventSystem):
    """Carries events among the processes of one machine that share a state directory.

    =================  =============================================================================
    `path`             a directory that is used in place of the state directory
    `where`            the place in the configuration that names `path`, for errors
    `confirm_timeout`  seconds after which `emit` and other commands give up
    `stall_timeout`    seconds after which an instance that stands still (it is stopped, or its loop
                       is blocked) loses its exclusive queues to others; at most 60
    `backoff`          how long failed events wait before the next attempt
    =================  =============================================================================

    Raises ConfigurationError when the directory cannot be made or written. In a forked child the
    copy refuses to be used and changes nothing of the parent's.
    """

    dead_letters: EmbeddedDeadLetters
    queues: EmbeddedQueues

    def __init__(
        self,
        path: str | None = None,
        confirm_timeout: float = 10.0,
        backoff: Backoff | None = None,
        *,
        stall_timeout: float = 10.0,
        where: Location | str | None = None,
        **kwargs: Unpack[ComponentParts],
    ) -> None:
        super().__init__(**kwargs)
        make = partial(state_directory, 'events', path=path, where=where)
        self.directory, owners, self._sockets = make(), make('owners'), make('bells')
        self._where = where
        self._timeout = confirm_timeout
        self._token = secrets.token_hex(4)
        self._availability = Availability('event system')
        self._lock = RLock()
        self._consumed: dict[str, _ConsumedQueue] = {}
        self._declared: dict[str, tuple[str, ...]] = {}  # without consuming them
        self._routes = Routes()
        self._waker = Waker(self._sockets)
        self._wake = self._waker.wake_soon
        self._committer = Committer(self.directory / 'events.sqlite', self._files_lost)
        self._ownership = Ownership(
            self, self._committer, owners, self._sockets, self._after_check, self._wake
        )
        self._claims = HeldClaims(self, self._committer, stall_timeout, self._wake)
        store = DatabaseStore(self, self._committer, self._ownership, self._claims, self._wake)
        self._consumption = Consumption(self, store, self.unsubscribe, backoff or Backoff())
        self._recovery = Recovery(
            self, self._committer, confirm_timeout, self._reopened, self._check_files
        )
        self.dead_letters = EmbeddedDeadLetters(self._run, self._wake)
        check_owners = partial(self._ownership.check_now, confirm_timeout)
        self.queues = EmbeddedQueues(self._committer.path, self._run, check_owners)
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> EmbeddedEventSystem:
        """Make the event system from `path`, `confirm_timeout` and `stall_timeout`.

        Raises ConfigurationError for other options and for values out of range.
        """
        refuse_unknown(config, ('path', 'confirm_timeout', 'stall_timeout'))
        timeout = config.get_seconds('confirm_timeout', 10.0, maximum=_LONGEST_CONFIRM)
        stall = config.get_seconds(
            'stall_timeout', 10.0, least=_SHORTEST_STALL, maximum=_LONGEST_STALL
        )
        path = config.get_line('path', None)
        where = config.locate('path')
        return cls(path, timeout, stall_timeout=stall, where=where, **kwargs)

    def on_start(self) -> None:
        """Open the database; raises ConfigurationError when it cannot be used."""
        self._availability.check_fork(ConfigurationError)
        try:
            self._committer.open(self._timeout)
        except StoreError as error:
            self._committer.close(patience=0.1)
            raise ConfigurationError(str(error), self._where) from error
        self._availability.start()
        self._recovery.start()
        self._consumption.start()

    def on_stop(self) -> None:
        """Give leased events back, delete temporary queues and close the database."""
        if not self._availability.running:
            return
        self._availability.stop()
        self._recovery.stop()
        self._consumption.stop()
        self._claims.stop()
        consumed, self._consumed = self._consumed, {}
        self._declared.clear()
        for each in consumed.values():
            each.close()
        self._ownership.stop(self._timeout)
        self._waker.flush()
        self._committer.close()
        self._waker.flush()  # the queues of the last commands, for which nobody waited

    def abandon(self) -> None:
        """Refuse to be used from now on, in a forked child; the queues stay the parent's."""
        self._availability.abandon()
        self._consumption.pause()

    def connection_state(self) -> ConnectionState:
        """Return whether the database can be read and written.

        It cannot while its disk is full or its files are lost. Never waits; may be called by
        another native thread.
        """
        return self._committer.state

    def subscribe(self, subscription: Subscription) -> None:
        """Bind the queue and begin to consume it; raises SubscriptionError as the contract says."""
        self._expect_own_thread(f'{subscription.queue_name} was subscribed')
        name = subscription.queue_name
        known = self._consumed.get(name)
        check_subscription(subscription, None if known is None else known.subscription)
        self._availability.check(SubscriptionError, name)
        queue = self._queue(subscription)
        consumed = self._consumed[name] = _ConsumedQueue(queue, subscription)
        try:
            with self._lock:
                self._ownership.start(self._timeout)
            consumed.socket = WakeupSocket(
                self._sockets, queue, partial(self._consumption.ring, queue)
            )
            self._declare(consumed)
        except BaseException as error:
            del self._consumed[name]
            consumed.close()
            if isinstance(error, (StoreError, OSError)):
                raise SubscriptionError(f'cannot consume {name}: {error}') from error
            raise
        self._consumption.add(queue, subscription)

    def declare(self, subscription: Subscription) -> None:
        """Make a durable queue that collects events until an instance consumes it.

        Raises SubscriptionError as the contract says, and when the database cannot be used.
        """
        self._expect_own_thread(f'{subscription.queue_name} was declared')
        check_declaration(subscription)
        name, topics = subscription.queue_name, subscription.event_types
        try:
            self._run(partial(_declare, name, topics))
        except StoreError as error:
            raise SubscriptionError(f'cannot keep events for {name}: {error}') from error
        self._declared[name] = topics

    def prepare(self, consumed: Sequence[Subscription], kept: Sequence[Subscription] = ()) -> None:
        """Make and bind all queues in one transaction; raises SubscriptionError."""
        self._expect_own_thread('queues were prepared')
        queues = [*consumed, *kept]
        for subscription in queues:
            check_subscription(subscription, None)  # nothing is consumed yet

        def declare_all(db: Database) -> None:
            for each in consumed:
                queue, owner = self._queue(each), self._ownership.owner
                declare(db, queue, each.event_types, each.temporary, owner)
            for each in kept:
                declare(db, self._queue(each), each.event_types, False, None)

        try:
            if consumed:
                with self._lock:
                    self._ownership.start(self._timeout)
            self._run(declare_all)
        except (StoreError, OSError) as error:
            names = ', '.join(each.queue_name for each in queues)
            raise SubscriptionError(f'cannot keep events for {names}: {error}') from error
        self._declared.update({each.queue_name: each.event_types for each in kept})

    def has_queue(self, name: str) -> bool:
        """Tell whether a queue of that name exists; raises SubscriptionError."""
        self._expect_own_thread(f'{name} was looked for')
        try:
            return self._run(lambda db: has_queue(db, name))
        except StoreError as error:
            raise SubscriptionError(f'cannot look for the queue {name}: {error}') from error

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop consuming; a temporary queue is removed."""
        self._expect_own_thread(f'{subscription.queue_name} was unsubscribed')
        name = subscription.queue_name
        consumed = self._consumed.get(name)
        if consumed is None or consumed.subscription is not subscription:
            return
        del self._consumed[name]
        self._consumption.remove(consumed.queue)
        consumed.close()
        owner = self._ownership.owner
        try:
            self._run(lambda db: withdraw(db, owner, consumed.queue))
        except StoreError as error:
            logger.error('the queue %s exists until this instance ends: %s', consumed.queue, error)

    def emit(self, event: Event, delay: float = 0) -> None:
        """Put the event into all queues that collect it; return when they are on the disk.

        Raises as the contract says; EmitFailure after `confirm_timeout` seconds, and while queues
        may be missing after the database was lost.
        """
        self._expect_own_thread('an event was emitted')
        check_emission(event, delay)
        data = pack_event(event)
        if self._availability.refusal is not None:
            raise EmitFailure(f'{event.type} was not emitted: {self._availability.refusal}')
        try:
            self._recovery.expect_settled()
            self._ownership.check_as_emitter()
            self._committer.run(
                lambda db: publish(db, self._routes, event.type, data, delay),
                self._timeout,
                lasting=True,
                then=self._wake_all,
            )
        except StoreError as error:
            raise EmitFailure(f'{event.type} is not known to be safe: {error}') from error

    def pause(self) -> None:
        """Fetch no more events."""
        self._consumption.pause()

    def _queue(self, subscription: Subscription) -> str:
        name = subscription.queue_name
        return f'{name}.{self._token}' if subscription.temporary else name

    def _run(
        self,
        command: Callable[[Database], T],
        *,
        lasting: bool = False,
        then: Callable[[T], object] = bool,
    ) -> T:
        self._availability.check(StoreError, str(self._committer.path))
        return self._committer.run(command, self._timeout, lasting, then)

    def _wake_all(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self._wake(queue)

    def _declare(self, consumed: _ConsumedQueue) -> None:
        queue, topics = consumed.queue, consumed.subscription.event_types
        temporary, owner = consumed.subscription.temporary, self._ownership.owner

        def declare_for_known(db: Database) -> None:
            expect_known(db, owner)
            declare(db, queue, topics, temporary, owner)

        self._run(declare_for_known)

    def _files_lost(self) -> None:
        """Called in the hub when the files of the database were removed or replaced."""
        self._claims.clear()  # whoever asks first in the next database gets them
        self._ownership.database_lost()
        self._recovery.lost()

    def _reopened(self) -> None:
        """Declare the queues again that are kept for others: the database may be a new one."""
        self._ownership.check_soon()
        for name, topics in tuple(self._declared.items()):
            try:
                self._run(partial(_declare, name, topics))
            except StoreError as error:
                logger.error('cannot keep events for %s: %s', name, error)

    def _check_files(self) -> None:
        """Put sockets and files back soon that somebody removed. Never waits."""
        self._ownership.check_files()
        if not all(consumed.in_place for consumed in self._consumed.values()):
            self._ownership.check_soon()

    def _after_check(self, undeclared: bool) -> None:
        """Poll all queues in case a wake-up was missed; declare missing queues again first.

        With `undeclared`, all of them are declared again: the owner has a new id.
        """
        names = [consumed.queue for consumed in self._consumed.values()]
        gone = set(names) if undeclared else self._run(lambda db: missing(db, names))
        for consumed in tuple(self._consumed.values()):
            if consumed.socket is not None:
                consumed.socket.restore()
            if consumed.queue in gone:
                self._declare(consumed)
            self._consumption.ring(consumed.queue)


def _declare(name: str, topics: tuple[str, ...], db: Database) -> None:
    declare(db, name, topics, False, None)
