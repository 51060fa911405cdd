"""What one instance leases from the database, and how it settles what it has leased."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

import gevent

from lymph.core.components import Component
from lymph.core.greenlets import Greenlet
from lymph.events._embedded.claims import let_go
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import Committer, Ticket
from lymph.events._embedded.holding import Holding
from lymph.events._embedded.keeper import Keeper
from lymph.events._embedded.leasing import lease
from lymph.events._embedded.messages import acknowledge, bury, release, retry
from lymph.events.leases import Delivery, Demand, Leased

__all__ = ['DatabaseStore']

logger = logging.getLogger(__name__)

_AFTER_ERROR = 1.0  # seconds before what could not be settled is tried again

_Settling = Callable[[Database], None]


class DatabaseStore:
    """Leases for the owner that `keeper` keeps; `ring` is told of queues that have more.

    What cannot be settled, on a full disk say, is tried again until it can: its number is bounded
    by that of the leases.
    """

    def __init__(
        self,
        component: Component,
        committer: Committer,
        keeper: Keeper,
        holding: Holding,
        ring: Callable[[str], object],
    ) -> None:
        self._component = component
        self._committer = committer
        self._keeper = keeper
        self._holding = holding
        self._ring = ring
        self._failed: list[tuple[_Settling, tuple[str, ...]]] = []
        self._retrying: Greenlet | None = None

    def lease(self, demands: Sequence[Demand]) -> Leased:
        owner, lifetime = self._keeper.owner, self._holding.lifetime
        # no limit: what a lease brings after its asker has left would be leased to nobody
        leased = self._committer.run(lambda db: lease(db, owner, demands, lifetime), None)
        for demand in demands:
            if demand.claim is not None and demand.queue in leased.claims:
                self._holding.keep(demand.queue, demand.claim, leased.claims[demand.queue])
        return leased

    def holds(self, claim: str) -> bool:
        return self._holding.holds(claim)

    def let_go(self, queue: str, claim: str) -> None:
        self._holding.forget(claim)
        self._settle(lambda db: let_go(db, claim), [queue])

    def acknowledge(self, delivery: Delivery) -> None:
        self._settle(lambda db: acknowledge(db, delivery.owner, delivery.id))

    def retry(self, delivery: Delivery, delay: float) -> None:
        id, owner = delivery.id, delivery.owner
        self._settle(lambda db: retry(db, owner, id, delay), [delivery.queue])

    def bury(self, delivery: Delivery, error: str) -> None:
        self._settle(lambda db: bury(db, delivery.owner, delivery.id, error))

    def release(self, deliveries: Iterable[Delivery], started: bool) -> None:
        given, attempts = list(deliveries), 0 if started else -1
        queues = {delivery.queue for delivery in given}
        self._settle(lambda db: release(db, given, attempts), queues)

    def _settle(self, settling: _Settling, queues: Iterable[str] = ()) -> None:
        if not self._keeper.owner:
            return  # stopped: what was leased is with the others already

        def done(ticket: Ticket[None]) -> None:
            if ticket.error is None:
                for queue in queues:
                    self._ring(queue)
                return
            self._failed.append((settling, tuple(queues)))
            if not self._retrying:
                logger.error('cannot settle an event, trying again: %s', ticket.error)
                self._retrying = self._component.spawn(self._again)

        self._committer.submit(settling, on_done=done)

    def _again(self) -> None:
        gevent.sleep(_AFTER_ERROR)
        self._retrying = None
        for _ in range(len(self._failed)):
            self._settle(*self._failed[0])
            del self._failed[0]  # the committer has it, and puts it back if it fails again
