"""The store of `lymph.events.leases` over the database: leases events and settles them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

import gevent

from lymph.core.components import Component
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.log_limits import Reminder
from lymph.events._embedded.claims import HeldClaims, give_up
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import Committer, Ticket
from lymph.events._embedded.leasing import lease
from lymph.events._embedded.messages import acknowledge, bury, release, retry
from lymph.events._embedded.ownership import Ownership
from lymph.events.leases import Delivery, Demand, Leased

__all__ = ['DatabaseStore']

logger = logging.getLogger(__name__)

_AFTER_ERROR = 1.0  # seconds before what could not be settled is tried again

_Settling = Callable[[Database], None]


class DatabaseStore:
    """Leases events for the owner that `ownership` says.

    `claims` are those to exclusive queues; `wake_queue` is called with each queue that got events
    back. A settlement that fails, on a full disk for example, is tried again every second until it
    succeeds; there are never more of them than leased events.
    """

    def __init__(
        self,
        component: Component,
        committer: Committer,
        ownership: Ownership,
        claims: HeldClaims,
        wake_queue: Callable[[str], object],
    ) -> None:
        self._component = component
        self._committer = committer
        self._ownership = ownership
        self._claims = claims
        self._wake_queue = wake_queue
        self._failed: list[tuple[_Settling, tuple[str, ...]]] = []
        self._retrying: Greenlet | None = None
        self._reminder = Reminder()

    def lease(self, demands: Sequence[Demand]) -> Leased:
        """Lease events in one transaction; wait for it as long as it takes.

        Claims that come with the lease are renewed from then on. Raises StoreError if the database
        cannot be used, UnknownOwner if this instance was taken for dead.
        """
        owner, lifetime = self._ownership.owner, self._claims.lifetime
        # no timeout: events of a lease that arrives after its caller has left would be lost
        leased = self._committer.run(lambda db: lease(db, owner, demands, lifetime), None)
        for demand in demands:
            if demand.claim is not None and demand.queue in leased.claims:
                self._claims.add(demand.queue, demand.claim, leased.claims[demand.queue])
        return leased

    def holds(self, claim: str) -> bool:
        """Tell whether the claim has not expired: no other instance can have it. Never waits."""
        return self._claims.holds(claim)

    def let_go(self, queue: str, claim: str) -> None:
        """Submit the end of a claim; the consumers of the queue are woken after the commit."""
        self._claims.remove(claim)
        self._settle(lambda db: give_up(db, claim), [queue])

    def acknowledge(self, delivery: Delivery) -> None:
        """Submit the removal of an event that was handled."""
        self._settle(lambda db: acknowledge(db, delivery.owner, delivery.id))

    def retry(self, delivery: Delivery, delay: float) -> None:
        """Submit that an event is leased again after `delay` seconds."""
        id, owner = delivery.id, delivery.owner
        self._settle(lambda db: retry(db, owner, id, delay), [delivery.queue])

    def bury(self, delivery: Delivery, error: str) -> None:
        """Submit that an event becomes a dead letter because of `error`."""
        self._settle(lambda db: bury(db, delivery.owner, delivery.id, error))

    def release(self, deliveries: Iterable[Delivery], started: bool) -> None:
        """Submit that events are leased again at once; consumers are woken after the commit.

        If not `started`, the attempt does not count.
        """
        given, attempts = list(deliveries), 0 if started else -1
        queues = {delivery.queue for delivery in given}
        self._settle(lambda db: release(db, given, attempts), queues)

    def _settle(self, settling: _Settling, queues: Iterable[str] = ()) -> None:
        if not self._ownership.owner:
            return  # stopped: the leased events went to the others

        def done(ticket: Ticket[None]) -> None:
            if ticket.error is None:
                for queue in queues:
                    self._wake_queue(queue)
                return
            self._failed.append((settling, tuple(queues)))
            if not self._retrying:
                if self._reminder.due(time.monotonic()):
                    logger.error('cannot settle an event, trying again: %s', ticket.error)
                self._retrying = self._component.spawn(self._again)

        self._committer.submit(settling, on_done=done)

    def _again(self) -> None:
        gevent.sleep(_AFTER_ERROR)
        self._retrying = None
        for _ in range(len(self._failed)):
            self._settle(*self._failed[0])
            del self._failed[0]  # if it fails again, it is appended again
