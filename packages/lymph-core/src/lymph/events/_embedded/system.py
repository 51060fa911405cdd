"""Events on one machine: queues in a file that all processes share.

::

    <state>/events/events.sqlite     queues and what is in them; see `database`
    <state>/events/owners/           one locked file for each instance that consumes; see `owners`
    <state>/events/bells/            one for each queue and instance that consumes it

Whoever puts an event into a queue rings the bells of its consumers; nobody polls. The state
directory has to be on a local disk.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from gevent.lock import RLock

from lymph.config import ConfigView, Location
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.refusals import Availability
from lymph.core._system.state import state_directory
from lymph.core._system.wakeups import Waker, WakeupSocket
from lymph.core.events import Event
from lymph.core.options import refuse_unknown
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import Committer
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.holding import Holding
from lymph.events._embedded.keeper import Keeper
from lymph.events._embedded.letters import EmbeddedDeadLetters
from lymph.events._embedded.messages import publish
from lymph.events._embedded.owners import expect_known
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

__all__ = ['EmbeddedEventSystem']

logger = logging.getLogger(__name__)

T = TypeVar('T')

_LONGEST_CONFIRM = 24 * 3600.0  # seconds
_SHORTEST_STALL = 0.1  # seconds; rows are renewed several times in it
_LONGEST_STALL = 60.0  # seconds; as long as an owner is known that does not renew its row


@dataclass
class _Consumed:
    """A queue that this instance consumes."""

    queue: str
    subscription: Subscription
    bell: WakeupSocket | None = None


class EmbeddedEventSystem(BaseEventSystem):
    """Carries events among the processes of one machine that share a state directory.

    =================  =============================================================================
    `path`             used in place of the state directory; `where` it is configured, for errors
    `confirm_timeout`  seconds after which `emit` gives up
    `stall_timeout`    seconds after which an instance that stands still (it is stopped, its loop is
                       blocked) loses its exclusive queues to others; at most 60
    `backoff`          how long failed events wait
    =================  =============================================================================

    Raises ConfigurationError when the directory cannot be made or written. In a forked child the
    copy refuses to work and leaves everything to the parent.
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
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        make = partial(state_directory, 'events', path=path, where=where)
        self.directory, owners, self._bells = make(), make('owners'), make('bells')
        self._where = where
        self._timeout = confirm_timeout
        self._token = secrets.token_hex(4)
        self._availability = Availability('event system')
        self._lock = RLock()
        self._consumed: dict[str, _Consumed] = {}
        self._declared: dict[str, tuple[str, ...]] = {}  # without consuming them
        self._routes = Routes()
        self._waker = Waker(self._bells)
        self._ring = self._waker.wake_soon
        self._committer = Committer(self.directory / 'events.sqlite', self._lost)
        self._keeper = Keeper(self, self._committer, owners, self._bells, self._keep_up, self._ring)
        self._holding = Holding(self, self._committer, stall_timeout, self._ring)
        store = DatabaseStore(self, self._committer, self._keeper, self._holding, self._ring)
        self._consumption = Consumption(self, store, self.unsubscribe, backoff or Backoff())
        self._recovery = Recovery(
            self, self._committer, confirm_timeout, self._begin_anew, self._keep_place
        )
        self.dead_letters = EmbeddedDeadLetters(self._run, self._ring)
        look = partial(self._keeper.look_after_others, confirm_timeout)
        self.queues = EmbeddedQueues(self._committer.path, self._run, look)
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> EmbeddedEventSystem:
        """Make the event system; the options are `path`, `confirm_timeout` and `stall_timeout`."""
        refuse_unknown(config, ('path', 'confirm_timeout', 'stall_timeout'))
        timeout = config.get_seconds('confirm_timeout', 10.0, maximum=_LONGEST_CONFIRM)
        stall = config.get_seconds(
            'stall_timeout', 10.0, least=_SHORTEST_STALL, maximum=_LONGEST_STALL
        )
        path = config.get_line('path', None)
        where = config.locate('path')
        return cls(path, timeout, stall_timeout=stall, where=where, **kwargs)

    def on_start(self) -> None:
        """Open the file; raises ConfigurationError when it cannot be used."""
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
        """Hand what is leased to the others, end temporary queues and close the file."""
        if not self._availability.running:
            return
        self._availability.stop()
        self._recovery.stop()
        self._consumption.stop()
        self._holding.stop()
        consumed, self._consumed = self._consumed, {}
        self._declared.clear()
        for one in consumed.values():
            _close(one.bell)
        self._keeper.stop(self._timeout)
        self._waker.flush()
        self._committer.close()
        self._waker.flush()  # for what was done last, though nobody waited for it any more

    def abandon(self) -> None:
        """Refuse from now on, in a forked child; the file and the queues stay the parent's."""
        self._availability.abandon()
        self._consumption.pause()

    def subscribe(self, subscription: Subscription) -> None:
        """Bind the queue and begin to consume it."""
        self._expect_own_thread(f'{subscription.queue_name} was subscribed')
        name = subscription.queue_name
        known = self._consumed.get(name)
        check_subscription(subscription, None if known is None else known.subscription)
        self._availability.check(SubscriptionError, name)
        queue = self._queue(subscription)
        consumed = self._consumed[name] = _Consumed(queue, subscription)
        try:
            with self._lock:
                self._keeper.start(self._timeout)
            consumed.bell = self._hang_bell(queue)
            self._declare(consumed)
        except BaseException as error:
            del self._consumed[name]
            _close(consumed.bell)
            if isinstance(error, (StoreError, OSError)):
                raise SubscriptionError(f'cannot consume {name}: {error}') from error
            raise
        self._consumption.add(queue, subscription)

    def declare(self, subscription: Subscription) -> None:
        """Make a durable queue that collects events until somebody consumes it."""
        self._expect_own_thread(f'{subscription.queue_name} was declared')
        check_declaration(subscription)
        name, topics = subscription.queue_name, subscription.event_types
        try:
            self._run(partial(_declare, name, topics))
        except StoreError as error:
            raise SubscriptionError(f'cannot keep events for {name}: {error}') from error
        self._declared[name] = topics

    def prepare(self, consumed: Sequence[Subscription], kept: Sequence[Subscription] = ()) -> None:
        """Make and bind all queues in one transaction."""
        self._expect_own_thread('queues were prepared')
        queues = [*consumed, *kept]
        for subscription in queues:
            check_subscription(subscription, None)

        def declare_all(db: Database) -> None:
            for each in consumed:
                queue, owner = self._queue(each), self._keeper.owner
                declare(db, queue, each.event_types, each.temporary, owner)
            for each in kept:
                declare(db, self._queue(each), each.event_types, False, None)

        try:
            if consumed:
                with self._lock:
                    self._keeper.start(self._timeout)
            self._run(declare_all)
        except (StoreError, OSError) as error:
            names = ', '.join(each.queue_name for each in queues)
            raise SubscriptionError(f'cannot keep events for {names}: {error}') from error
        self._declared.update({each.queue_name: each.event_types for each in kept})

    def has_queue(self, name: str) -> bool:
        """Tell whether there is a queue of that name."""
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
        _close(consumed.bell)
        owner = self._keeper.owner
        try:
            self._run(lambda db: withdraw(db, owner, consumed.queue))
        except StoreError as error:
            logger.error('the queue %s stays until this instance ends: %s', consumed.queue, error)

    def emit(self, event: Event, delay: float = 0) -> None:
        """Put the event into all queues that collect it; returns when that is on the disk."""
        self._expect_own_thread('an event was emitted')
        check_emission(event, delay)
        data = pack_event(event)
        if self._availability.refusal is not None:
            raise EmitFailure(f'{event.type} was not emitted: {self._availability.refusal}')
        try:
            self._recovery.expect_settled()
            self._keeper.visit()
            self._committer.run(
                lambda db: publish(db, self._routes, event.type, data, delay),
                self._timeout,
                lasting=True,
                then=self._ring_all,
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

    def _ring_all(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self._ring(queue)

    def _hang_bell(self, queue: str) -> WakeupSocket:
        return WakeupSocket(self._bells, queue, partial(self._consumption.ring, queue))

    def _declare(self, consumed: _Consumed) -> None:
        queue, topics = consumed.queue, consumed.subscription.event_types
        temporary, owner = consumed.subscription.temporary, self._keeper.owner

        def make_known(db: Database) -> None:
            expect_known(db, owner)
            declare(db, queue, topics, temporary, owner)

        self._run(make_known)

    def _lost(self) -> None:
        self._holding.forget_all()  # whoever is first in the new file has the claims
        self._keeper.lose()
        self._recovery.lost()

    def _begin_anew(self) -> None:
        """Declare again what was declared; the file may have been made anew."""
        self._keeper.look_soon()
        for name, topics in tuple(self._declared.items()):
            try:
                self._run(partial(_declare, name, topics))
            except StoreError as error:
                logger.error('cannot keep events for %s: %s', name, error)

    def _keep_place(self) -> None:
        """Hang bells again soon that somebody removed."""
        self._keeper.keep_place()
        if not all(map(_hangs, self._consumed.values())):
            self._keeper.look_soon()

    def _keep_up(self, lost: bool) -> None:
        """Look into every queue, in case that a ring was lost; declare again what is gone."""
        names = [consumed.queue for consumed in self._consumed.values()]
        gone = set(names) if lost else self._run(lambda db: missing(db, names))
        for consumed in tuple(self._consumed.values()):
            if consumed.bell is not None and not _hangs(consumed):
                consumed.bell.close()
                consumed.bell = self._hang_bell(consumed.queue)
            if consumed.queue in gone:
                self._declare(consumed)
            self._consumption.ring(consumed.queue)


def _declare(name: str, topics: tuple[str, ...], db: Database) -> None:
    declare(db, name, topics, False, None)


def _hangs(consumed: _Consumed) -> bool:
    return consumed.bell is None or consumed.bell.in_place


def _close(bell: WakeupSocket | None) -> None:
    if bell is not None:
        bell.close()
