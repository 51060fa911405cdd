"""Tells once that nobody takes the tasks of an instance: they would wait without a word."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import gevent

from lymph.events.queues import Queues
from lymph.exceptions import LymphError

__all__ = ['warn_of_untaken_tasks']

logger = logging.getLogger(__name__)

#: Seconds before each look; a worker that is started together with the instance is there by then.
_PATIENCE = 10.0
#: A worker that is being replaced, or connected anew, is missed by one look, not by two.
_LOOKS = 2


def warn_of_untaken_tasks(queues: Queues, names: Sequence[str]) -> None:
    """Look now and then who consumes these queues of tasks, and warn if nobody does.

    Ends as soon as somebody takes each of them, with the warning, and where the event system cannot
    tell consumers. While it cannot be asked, that says nothing about workers.
    """
    looks = 0
    while looks < _LOOKS:
        gevent.sleep(_PATIENCE)
        try:
            states = queues.glance(names)
        except LymphError as error:
            logger.debug('cannot tell whether a worker takes the tasks: %s', error)
            continue
        untaken = [state for state in states if state.consumers == 0]
        if not untaken:
            return
        looks += 1
    logger.warning(
        'no worker takes the tasks of %s; they wait until one does: start `lymph worker` with the '
        'configuration of this instance',
        ', '.join(state.queue for state in untaken),
    )
