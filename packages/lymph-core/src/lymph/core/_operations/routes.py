"""The paths of the operations port, and what is answered there.

=============  ==================================================================================
path           answer
=============  ==================================================================================
``/livez``     200 while the loop answers; 503 names the line that blocks it
``/readyz``    503 with the reasons while the instance starts or stops, the loop is blocked, or
               the registry or the broker is away for too long
``/startupz``  200 once the instance has started
``/metrics``   all metrics, for Prometheus
``/stacks``    the stacks of all native threads, and of all greenlets unless the loop is blocked
``/``          this list
=============  ==================================================================================
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

import gevent
from gevent.monkey import get_original

from lymph.core._monitoring.stacks import greenlet_stacks, thread_stacks
from lymph.core._operations.answers import PortAnswer
from lymph.core._operations.connections import Pending
from lymph.core._operations.heads import OperationsRequest
from lymph.core._operations.probes import (
    BlockedLoop,
    ProbeCheck,
    alive,
    probe_answer,
    ready,
    started,
)
from lymph.core._operations.questions import LoopQuestions
from lymph.core._operations.settings import OperationsSettings
from lymph.core._operations.sources import OperationsSources, block_of, connections_of
from lymph.core.failures import Killed, error_line
from lymph.core.monitoring.descriptions import MetricKind
from lymph.core.monitoring.metrics import Sample
from lymph.core.monitoring.openmetrics import Page, chosen_format, render

__all__ = ['PATHS', 'OperationsPaths']

PATHS: Final = {
    '/livez': 'whether the loop answers, and if not, what blocks it',
    '/readyz': 'whether the instance can serve, and if not, why',
    '/startupz': 'whether the instance has started',
    '/metrics': 'metrics for Prometheus',
    '/stacks': 'what all threads and greenlets do',
}

_PATIENCE: Final = 5.0  # seconds that the loop gets to answer
_SLICE: Final = 0.002  # seconds in which metrics are read before other greenlets get their turn
_TURN: Final = 1e-6  # seconds; with 0 the loop would not look at its descriptors

_sleep: Callable[[float], None] = get_original('time', 'sleep')


def _let_others_run() -> None:
    """Have the loop not wait for the interpreter while a page is made."""
    _sleep(0.0005)


class _Collected(NamedTuple):
    samples: list[Sample]
    kinds: dict[str, MetricKind]


class OperationsPaths:
    """Answers requests; runs in the thread of the port, and never blocks.

    `rendered` is called there with each page of metrics.
    """

    def __init__(
        self,
        settings: OperationsSettings,
        sources: OperationsSources,
        questions: LoopQuestions,
        rendered: Callable[[Page], object],
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._questions = questions
        self._rendered = rendered

    def respond(self, request: OperationsRequest) -> PortAnswer | Pending:
        """Return the answer, or what it needs of the loop."""
        if request.path in ('/livez', '/readyz', '/startupz'):
            as_json = 'application/json' in (request.accept or '').lower()
            checks = self._checks(request.path)
            return probe_answer(checks, verbose=request.verbose, as_json=as_json)
        if request.path == '/metrics':
            return self._metrics(chosen_format(request.accept))
        if request.path == '/stacks':
            return self._stacks()
        if request.path == '/':
            title = f'lymph instance {self._sources.identity}'
            return PortAnswer(200, '\n'.join([title, *_listed()]) + '\n')
        return PortAnswer(404, '\n'.join(['not found; there are:', *_listed()]) + '\n')

    def _checks(self, path: str) -> list[ProbeCheck]:
        sources = self._sources
        if path == '/livez':
            return alive(self._blocked())
        has_started, draining = sources.has_started(), sources.draining()
        if path == '/startupz':
            return started(has_started, draining)
        return ready(
            has_started=has_started,
            draining=draining,
            blocked=self._blocked(),
            connections=connections_of(sources.backends),
            away=self._settings.away,
            now=time.time(),
        )

    def _blocked(self) -> BlockedLoop | None:
        return block_of(self._sources.watchdog, self._settings.blocked)

    def _metrics(self, content_type: str) -> PortAnswer | Pending:
        def finish(found: object) -> PortAnswer:
            if not isinstance(found, _Collected):
                return _failed('metrics', found)
            page = render(found.samples, content_type, found.kinds, _let_others_run)
            self._rendered(page)
            return PortAnswer(200, page.text, content_type)

        def otherwise() -> PortAnswer:
            return PortAnswer(503, f'no metrics: {self._excuse()}\n')

        if self._blocked() is not None:
            return otherwise()
        question = self._questions.ask('metrics', self._collect)
        return Pending(question, finish, otherwise, time.monotonic() + _PATIENCE)

    def _collect(self) -> _Collected:
        """Read all metrics. Runs in a greenlet of the loop, which others get in between."""
        metrics, samples, begun = self._sources.metrics, [], time.monotonic()
        for sample in metrics:
            samples.append(sample)
            if time.monotonic() - begun > _SLICE:
                gevent.sleep(_TURN)
                begun = time.monotonic()
        return _Collected(samples, metrics.kinds())

    def _stacks(self) -> PortAnswer | Pending:
        thread = self._sources.watchdog.thread

        def finish(found: object) -> PortAnswer:
            if not isinstance(found, str):
                return _failed('greenlets', found)
            return PortAnswer(200, f'{thread_stacks(thread)}\n\n{found}\n')

        def otherwise() -> PortAnswer:
            # greenlets cannot be looked at from here: the loop may go on at any time
            text = f'{thread_stacks(thread)}\n\nno greenlets: {self._excuse()}\n'
            return PortAnswer(200, text)

        if self._blocked() is not None:
            return otherwise()
        question = self._questions.ask('stacks', greenlet_stacks)
        return Pending(question, finish, otherwise, time.monotonic() + _PATIENCE)

    def _excuse(self) -> str:
        blocked = self._blocked()
        return str(blocked) if blocked else f'they could not be read within {_PATIENCE:g} s'


def _failed(what: str, error: object) -> PortAnswer:
    if isinstance(error, Killed):
        return PortAnswer(503, f'no {what}: the instance is stopping\n')
    reason = error_line(error) if isinstance(error, BaseException) else 'unknown'
    return PortAnswer(500, f'no {what}: {reason}\n')


def _listed() -> list[str]:
    width = max(map(len, PATHS))
    return [f'{path:<{width}}  {text}' for path, text in PATHS.items()]
