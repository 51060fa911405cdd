"""Asks the processes at all endpoints at the same time; none of them delays the others.

Each is asked in a greenlet of its own, a bounded number at once. A process that did not answer in
time is late. Nobody waits for those that were late the last time, and they have places of their
own: thousands of hosts that swallow everything delay no process that answers.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final, Protocol

import gevent
from gevent.lock import BoundedSemaphore

from lymph.core._overview.answers import Heard, Said, read_said
from lymph.core.failures import error_text
from lymph.core.greenlets import Greenlet, Pool
from lymph.exceptions import LymphError

__all__ = ['Asking', 'Requests']

_AT_ONCE: Final = 100
_LATE_AT_ONCE: Final = 20


class Requests(Protocol):
    """The calls of a container."""

    def request(
        self, address: str, subject: str, *, timeout: float | None = ..., retries: int | None = ...
    ) -> object:
        """Make a call; see `ServiceContainer.request`."""


class Asking:
    """What is known of the processes at endpoints. `timeout` is for one process, in seconds."""

    def __init__(self, requests: Requests, timeout: float) -> None:
        self._requests = requests
        self._timeout = timeout
        self._heard: dict[str, Heard] = {}
        self._asked: dict[str, Greenlet] = {}
        self._late: set[str] = set()
        self._pool = Pool()
        self._places = BoundedSemaphore(_AT_ONCE)
        self._places_of_late = BoundedSemaphore(_LATE_AT_ONCE)

    def ask(self, endpoints: Collection[str], everyone: bool) -> dict[str, Heard]:
        """Ask the processes at these endpoints, forget all others, and return what is known.

        Waits for those that were not late the last time, or for `everyone`, at most for the
        timeout of one.
        """
        wanted = set(endpoints)
        for endpoint in self._asked.keys() - wanted:
            self._pool.killone(self._asked.pop(endpoint), block=False)
        for endpoint in self._heard.keys() - wanted:
            del self._heard[endpoint]
        self._late &= wanted
        for endpoint in endpoints:
            if endpoint not in self._asked:
                self._asked[endpoint] = self._pool.spawn(self._ask, endpoint)
        waited_for = [
            greenlet
            for endpoint, greenlet in self._asked.items()
            if everyone or endpoint not in self._late
        ]
        gevent.joinall(waited_for, self._timeout)
        self._late |= self._asked.keys()
        return dict(self._heard)

    def close(self) -> None:
        """End the greenlets that still ask."""
        self._pool.kill()

    def _ask(self, endpoint: str) -> None:
        with self._places_of_late if endpoint in self._late else self._places:
            began = time.monotonic()
            try:
                said = self._answers(endpoint, began + self._timeout)
            except LymphError as error:
                self._late.add(endpoint)
                text = error_text(error).removeprefix(f'{endpoint}: ')
                self._heard[endpoint] = self._heard.get(endpoint, Heard()).failed(text, time.time())
            else:
                # One that needs nearly all of its time is not waited for either.
                if time.monotonic() - began > self._timeout / 2:
                    self._late.add(endpoint)
                else:
                    self._late.discard(endpoint)
                self._heard[endpoint] = self._heard.get(endpoint, Heard()).answered(said)
            finally:
                # one that was ended may have a successor
                if self._asked.get(endpoint) is gevent.getcurrent():
                    del self._asked[endpoint]

    def _answers(self, endpoint: str, until: float) -> Said:
        answers = []
        for subject in ('lymph.status', 'lymph.get_metrics'):
            left = max(until - time.monotonic(), 0.001)
            answers.append(self._requests.request(endpoint, subject, timeout=left, retries=0))
        return read_said(answers[0], answers[1], time.monotonic(), time.time())
