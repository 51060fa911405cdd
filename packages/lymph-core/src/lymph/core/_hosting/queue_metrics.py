"""Metrics of the queues of an instance.

The event system is asked only when the metrics are read. The reader waits up to half a second for
the answer. Without one, the metrics of an earlier answer are given while it is recent; after that,
there are none.
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
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.metrics import Sample
from lymph.events.queues import Queues, QueueState
from lymph.exceptions import LymphError

__all__ = ['QueueMetrics']

logger = logging.getLogger(__name__)

_FIGURES = ('waiting', 'delayed', 'bytes', 'oldest', 'running', 'consumers', 'dead')
_UNITS = {'bytes': 'bytes', 'oldest': 'seconds'}
_MEANINGS = {
    'waiting': 'Events in the queue that a consumer may have now.',
    'delayed': 'Events in the queue that wait for their time, or for their next attempt.',
    'bytes': 'Size of the events in the queue that wait or are delayed.',
    'oldest': 'Age of the oldest event that waits; absent while none does.',
    'running': 'Events of the queue that consumers have and that are not settled.',
    'consumers': 'Instances that consume the queue.',
    'dead': 'Dead letters of the queue.',
}
for _figure in _FIGURES:
    describe(
        f'queues.{_figure}',
        'gauge',
        _MEANINGS[_figure],
        unit=_UNITS.get(_figure, ''),
        tags=('queue',),
    )
_PATIENCE = 0.5  # seconds to wait for the event system; half of the default timeout of a call
_STALE = 10.0  # seconds after which an answer is out of date


class QueueMetrics:
    """Yields ``queues.waiting`` and so on, tagged with the queue, for the queues in `names`.

    `component` spawns the greenlet that asks. `queues()` returns the queues of the event system, or
    None if it has no counts.
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
        self._asked = 0.0  # `time.monotonic` at the request of these states

    def __iter__(self) -> Iterator[Sample]:
        """Yield the known counts of each queue; unknown ones are left out."""
        # only where it is possible to wait; otherwise give the last answer
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
