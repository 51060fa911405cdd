"""What becomes of an event that was delivered to a handler: the rule of all event systems.

======================================================  ==========================================
how attempt number `n` ended                            outcome
======================================================  ==========================================
the handler returned                                    Handled
the message holds no event                              Dead
the handler raised EventRejected                        Dead
the queue's handler does not handle the type            Again while n <= OTHER_VERSIONS, else Dead;
(NotHandled, see `versions`)                            Dead at once where no other instance
                                                        takes from the queue
the handler raised anything else                        Again while n <= retry, else Dead
the handler was cut short (Killed)                      none: delivered again, without a delay
the consumer was lost: its process, its connection      none: delivered again, without a delay,
                                                        until it was lost more than LOSSES times
======================================================  ==========================================

There is one count. `n` counts the deliveries to a handler, from 1, however they ended: an attempt
that was cut short, or lost with its consumer, uses up one of the retries. Delays grow with `n` and
are jittered, so that events that failed together do not come back together.

An event system keeps the count with the event. Where a broker counts only in part, the count is too
low, never too high for what was delivered: RabbitMQ's classic queues mark an event as delivered
before, however often that was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.versions import OTHER_VERSIONS, NotHandled
from lymph.exceptions import EventRejected

__all__ = [
    'HANDLED',
    'LOSSES',
    'Again',
    'Attempt',
    'Dead',
    'Handled',
    'Outcome',
    'after_loss',
    'decide',
    'ends_once',
]

LOSSES: Final = 10  # losses of consumers after which an event is delivered once more

_BACKOFF = Backoff()


@dataclass(frozen=True)
class Attempt:
    """One delivery of an event to its handler, and how it ended.

    ========  ==================================================================================
    number    which delivery this is, from 1; lost ones count
    error     what the handler raised, or why the message holds no event; None: the handler
              returned
    unpacked  whether the message holds an event
    ========  ==================================================================================
    """

    number: int
    error: BaseException | None = None
    unpacked: bool = True


@dataclass(frozen=True)
class Handled:
    """The event is done: the event system forgets it."""


@dataclass(frozen=True)
class Again:
    """The event is delivered again after `delay` seconds, because of `error`."""

    delay: float
    error: BaseException
    trace_id: str | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Dead:
    """The event is given up, because of `error`: it goes to the dead letters.

    With `unpacked` false it was no event: bytes that cannot be decoded, or no type.
    """

    error: BaseException
    unpacked: bool = True
    trace_id: str | None = field(default=None, compare=False)


Outcome = Handled | Again | Dead

HANDLED: Final = Handled()


def decide(
    attempt: Attempt, subscription: Subscription, chance: float, backoff: Backoff = _BACKOFF
) -> Outcome:
    """Return the outcome of an attempt, by the table above; `chance` is a random number in [0, 1).

    Nothing of the error is asked but its type, so this raises nothing whatever the error does.
    """
    error = attempt.error
    if error is None:
        return HANDLED
    if not attempt.unpacked:
        return Dead(error, unpacked=False)
    if attempt.number > _retries(subscription, type(error)):
        return Dead(error)
    return Again(backoff.delay(attempt.number, chance), error)


def _retries(subscription: Subscription, kind: type[BaseException]) -> int:
    """Return how many attempts may follow the first where they end with this kind of error."""
    if issubclass(kind, EventRejected):
        return 0
    if issubclass(kind, NotHandled):
        alone = subscription.exclusive or subscription.temporary
        return 0 if alone else OTHER_VERSIONS
    return subscription.retry


def ends_once(outcome: Outcome) -> bool:
    """Tell whether a `once` subscription has had its event: it was handled or given up.

    A message that holds no event is not its event.
    """
    return isinstance(outcome, Handled) or (isinstance(outcome, Dead) and outcome.unpacked)


def after_loss(losses: int) -> bool:
    """Tell whether an event is delivered again that was lost with its consumer `losses` times.

    A lost consumer says nothing about the handler, so the event goes to another one at once; but an
    event that keeps killing its consumers has to end somewhere.
    """
    return losses <= LOSSES
