"""What is in the queues of an instance, as metrics.

The event system is asked when the metrics are read and never otherwise. Whoever reads them waits a
moment for the answer; without one, figures are left out rather than made up.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence

import gevent
from gevent import getcurrent

from lymph.core._system.threads import get_ident
from lymph.core.components import Component
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.metrics import Sample
from lymph.events.queues import Queues, QueueState
from lymph.exceptions import LymphError

__all__ = ['QueueMetrics']

logger = logging.getLogger(__name__)

_FIGURES = ('waiting', 'delayed', 'bytes', 'oldest', 'running', 'consumers', 'dead')
_PATIENCE = 0.5  # seconds; half of what a call waits for its answer by default
_STALE = 10.0  # seconds after which an answer says nothing about now


class QueueMetrics:
    """Yields ``queues.waiting`` and so on, tagged with the queue, for the queues called `names`.

    `component` runs what asks; `queues` returns whom to ask, or None.
    """

    def __init__(
        self, component: Component, queues: Callable[[], Queues | None], names: Sequence[str]
    ) -> None:
        self._component = component
        self._queues = queues
        self._names = names
        self._thread = get_ident()
        self._asking: Greenlet | None = None
        self._states: Sequence[QueueState] = ()
        self._asked = 0.0  # when the states were true, by the monotonic clock

    def __iter__(self) -> Iterator[Sample]:
        """Yield what is known of each queue; of what nobody can tell, nothing."""
        if get_ident() == self._thread and getcurrent() is not gevent.get_hub():
            self._ask()
        if time.monotonic() - self._asked < _STALE:
            for state in self._states:
                for figure in _FIGURES:
                    value = getattr(state, figure)
                    if value is not None:
                        yield f'queues.{figure}', value, {'queue': state.queue}

    def _ask(self) -> None:
        queues = self._queues()
        if queues is None or not self._names:
            return
        if not self._asking:
            self._asking = self._component.spawn(self._glance, queues)
        self._asking.join(_PATIENCE)

    def _glance(self, queues: Queues) -> None:
        asked = time.monotonic()
        try:
            self._states = queues.glance(self._names)
            self._asked = asked
        except LymphError as error:
            logger.debug('cannot tell what is in the queues: %s', error)
