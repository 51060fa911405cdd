"""Which request is answered when: a bounded number at once, some wait, the others are refused.

========  ==============================  =====================================================
state     when                            next
========  ==============================  =====================================================
running   there is a place                its place becomes free when the answer has left
waiting   `wsgi_pool_size` are running    running, in the order of their arrival; refused after
                                          `queue_timeout`
refused   `queue_size` are waiting        answered with 503, outside of the pool
========  ==============================  =====================================================

Requests that tell whether the process is healthy need no place, or a load balancer would
consider a busy process dead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from lymph.core._loop.deadlines import Expirations
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.workers import Workers
from lymph.web._http.environs import ARRIVED_KEY
from lymph.web._http.heads import Head
from lymph.web._http.limits import Limits
from lymph.web._serving.link import HttpLink

__all__ = ['Dispatcher']

_APART = 16  # requests for the health that are answered at once outside of the pool


class _Waiting:
    """A request that waits for a place."""

    __slots__ = ('expired', 'head', 'link', 'ticket')

    def __init__(self, link: HttpLink, head: Head, expired: Callable[[_Waiting], None]) -> None:
        self.link = link
        self.head = head
        self.expired = expired
        self.ticket = 0

    def expire(self) -> None:
        """Handle that the request has waited long enough."""
        self.expired(self)


class Dispatcher:
    """Hands requests to workers; runs in the hub.

    `serve` and `refuse` answer a request, in a worker. `is_apart` tells whether requests for a path
    are answered outside of the pool.
    """

    def __init__(
        self,
        limits: Limits,
        timers: Expirations,
        log: LimitedLog,
        serve: Callable[[HttpLink, Head], None],
        refuse: Callable[[HttpLink, Head], None],
        is_apart: Callable[[str], bool],
        hub: Any,
    ) -> None:
        self.running = 0
        #: requests that were answered with 503
        self.refused = 0
        self._limits = limits
        self._size = float('inf') if limits.wsgi_pool_size is None else limits.wsgi_pool_size
        self._timers = timers
        self._log = log
        self._serve = serve
        self._refuse = refuse
        self._is_apart = is_apart
        self._hub = hub
        self._apart = 0
        self._waiting: dict[HttpLink, _Waiting] = {}  # in the order of their arrival
        self._workers = Workers()

    def answer(self, link: HttpLink, head: Head) -> None:
        """Have a request answered, now or when there is a place."""
        if self.running < self._size and not self._waiting:
            self._start(link, head)
        elif self._apart < _APART and self._is_apart(unquote(head.path, encoding='latin-1')):
            self._apart += 1
            self._workers.try_start(self._run_apart, link, head)
        elif len(self._waiting) < self._limits.queue_size:
            waiting = self._waiting[link] = _Waiting(link, head, self._expired)
            # for the deadline of the request; no header field has such a name
            head.variables[ARRIVED_KEY] = now = time.monotonic()
            waiting.ticket = self._timers.add(waiting, now + self._limits.queue_timeout)
        else:
            self._overloaded(link, head)

    @property
    def waiting(self) -> int:
        """How many requests wait for a place."""
        return len(self._waiting)

    def forget(self, link: HttpLink) -> bool:
        """Do not answer a request that waits; return whether there was one."""
        waiting = self._waiting.pop(link, None)
        if waiting is None:
            return False
        self._timers.discard(waiting, waiting.ticket)
        return True

    def kill(self, timeout: float) -> None:
        """End all answers for good; requests that wait get none."""
        for link in list(self._waiting):
            self.forget(link)
        self._workers.kill(timeout)

    def _start(self, link: HttpLink, head: Head) -> None:
        self.running += 1
        if not self._workers.try_start(self._run, link, head):
            link.close()  # everything ends

    def _run(self, link: HttpLink, head: Head) -> None:
        try:
            self._serve(link, head)
        finally:
            self.running -= 1
            if self._waiting:
                self._hub.loop.run_callback(self._start_waiting)

    def _run_apart(self, link: HttpLink, head: Head) -> None:
        try:
            self._serve(link, head)
        finally:
            self._apart -= 1

    def _start_waiting(self) -> None:
        while self._waiting and self.running < self._size:
            link = next(iter(self._waiting))
            head = self._waiting[link].head
            self.forget(link)
            self._start(link, head)

    def _expired(self, waiting: _Waiting) -> None:
        del self._waiting[waiting.link]
        self._overloaded(waiting.link, waiting.head)

    def _overloaded(self, link: HttpLink, head: Head) -> None:
        self.refused += 1
        self._log.write(
            logging.WARNING,
            'overloaded',
            'a request was refused: %d are being answered and %d wait '
            '(wsgi_pool_size, queue_size, queue_timeout)',
            self.running,
            len(self._waiting),
        )
        self._workers.try_start(self._refuse, link, head)
