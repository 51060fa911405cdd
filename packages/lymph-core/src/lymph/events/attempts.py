"""Attempts to handle events: unpack, call the handler, decide, and report what failed.

An event system makes an attempt, has its store or broker carry out the outcome, and reports the
attempt after that: nothing that is logged, and no error hook, stands between a failure and its
outcome.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from lymph.core import trace
from lymph.core.components import Component
from lymph.core.events import Event
from lymph.core.failures import Killed, error_line, error_text
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.events.backoff import Backoff
from lymph.events.base import Subscription
from lymph.events.deliveries import HANDLED, Attempt, Dead, Handled, Outcome, decide
from lymph.events.versions import NotHandled, check_handled

__all__ = ['Attempts']

logger = logging.getLogger(__name__)

M = TypeVar('M')


class Attempts:
    """Makes the attempts of one event system and reports them to its log and its error hook.

    `backoff` says how long failed events wait. Of each queue a bounded number of lines a second is
    logged; `close` logs how many were left out.
    """

    def __init__(self, component: Component, backoff: Backoff) -> None:
        self._component = component
        self._backoff = backoff
        self._log = LimitedLog(logger)

    def close(self) -> None:
        """Log how many lines were left out."""
        self._log.close()

    def make(
        self,
        subscription: Subscription,
        number: int,
        unpack: Callable[[M, int], Event],
        message: M,
    ) -> Outcome:
        """Call the handler with the event of `message`, which `unpack(message, number)` returns.

        An attempt fails whatever the handler raises. Raises only Killed: then the attempt has no
        outcome, and the event must be delivered again.
        """
        try:
            event = unpack(message, number)
        except Exception as error:  # noqa: BLE001 - it fails in every attempt
            return self._decide(subscription, Attempt(number, error, unpacked=False))
        try:
            check_handled(subscription, event)
            subscription.handler(event)
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - it becomes an outcome
            outcome = self._decide(subscription, Attempt(number, error))
            assert not isinstance(outcome, Handled)  # there is an error
            return replace(outcome, trace_id=_trace_id(event))
        return HANDLED

    def report(self, subscription: Subscription, number: int, outcome: Outcome) -> None:
        """Log an attempt that failed, and tell the error hook if a handler was called.

        `subscription.failed` is called with the outcome first.
        """
        if isinstance(outcome, Handled):
            return
        if subscription.failed is not None:
            subscription.failed(outcome)
        name, error = subscription.queue_name, outcome.error
        if isinstance(outcome, Dead) and not outcome.unpacked:
            text = '%s: not an event, now a dead letter: %s'
            self._log.write(logging.ERROR, name, text, name, error_line(error))
            return
        fate = (
            'now a dead letter'
            if isinstance(outcome, Dead)
            else f'trying again in {outcome.delay:.1f} s'
        )
        if issubclass(type(error), NotHandled):
            self._log.write(logging.WARNING, name, '%s: %s, %s', name, error_text(error), fate)
            return
        text = '%s: the handler failed in attempt %d, %s'
        self._log.write(logging.ERROR, name, text, name, number, fate, exc_info=error)
        self._component.error_hook(
            error,
            component=self._component,
            function=subscription.handler,
            attempt=number,
            trace_id=outcome.trace_id,
        )

    def report_unsettled(self, subscription: Subscription, error: BaseException) -> None:
        """Log that an outcome could not be carried out because of an unexpected error."""
        text = '%s: cannot settle an event; it is given back'
        name = subscription.queue_name
        self._log.write(logging.ERROR, name, text, name, exc_info=error)

    def _decide(self, subscription: Subscription, attempt: Attempt) -> Outcome:
        return decide(attempt, subscription, random.random(), self._backoff)


def _trace_id(event: Event) -> str | None:
    """Return the trace id of an event whose handler has run in this context."""
    found = event.headers.get('trace_id')
    return found if trace.is_valid(found) else trace.get_id()
