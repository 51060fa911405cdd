"""A warning when no worker consumes the tasks of an instance, which would wait unnoticed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import gevent

from lymph.events.queues import Queues
from lymph.exceptions import LymphError

__all__ = ['warn_of_untaken_tasks']

logger = logging.getLogger(__name__)

#: Seconds before each check; a worker that is started with the instance is connected by then.
_PATIENCE = 10.0
#: Checks without a consumer before the warning; a worker that restarts or reconnects misses one.
_LOOKS = 2


def warn_of_untaken_tasks(queues: Queues, names: Sequence[str]) -> None:
    """Check twice whether these queues of tasks have consumers; warn if one of them has none.

    Returns without a warning as soon as each queue has a consumer, or if the event system does not
    count consumers. Checks that the event system does not answer do not count.
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
