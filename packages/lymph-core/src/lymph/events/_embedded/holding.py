"""The claims that this instance holds, renewed in time for as long as its loop runs."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Mapping
from functools import partial

import gevent

from lymph.core.components import Component
from lymph.core.failures import Killed, error_text, log_failure
from lymph.core.greenlets import Greenlet
from lymph.events._embedded.claims import renew
from lymph.events._embedded.committer import Committer
from lymph.events._embedded.database import StoreError

__all__ = ['Holding']

logger = logging.getLogger(__name__)

_RENEWALS = 3  # in the time after which a claim ends
_CANNOT_RENEW = 'cannot renew the claims to exclusive queues'


class Holding:
    """Claims end `lifetime` seconds after they were renewed last.

    `ring` is called with the queue of each claim that others have taken over.
    """

    def __init__(
        self,
        component: Component,
        committer: Committer,
        lifetime: float,
        ring: Callable[[str], object],
    ) -> None:
        self.lifetime = lifetime
        self._component = component
        self._committer = committer
        self._ring = ring
        self._queues: dict[str, str] = {}
        self._expires: dict[str, float] = {}
        self._renewing: Greenlet | None = None

    def holds(self, token: str) -> bool:
        """Tell whether nobody else can have taken the claim. Never waits."""
        return time.monotonic() < self._expires.get(token, 0.0)

    def keep(self, queue: str, token: str, expires: float) -> None:
        """Renew a claim from now on, which ends at `expires` of the monotonic clock."""
        self._queues[token] = queue
        self._expires[token] = expires
        if self._renewing is None:
            self._renewing = self._component.spawn(self._renew)

    def forget(self, token: str) -> None:
        """Renew a claim no longer, and rely on it no more."""
        self._queues.pop(token, None)
        self._expires.pop(token, None)

    def forget_all(self) -> None:
        """Renew and rely on nothing that was claimed up to now. Never waits."""
        self._queues.clear()
        self._expires.clear()

    def stop(self) -> None:
        """Renew nothing any more."""
        self.forget_all()
        if self._renewing is not None:
            self._renewing.kill()
            self._renewing = None

    def _renew(self) -> None:
        while True:
            gevent.sleep(self.lifetime / _RENEWALS)
            if not self._queues:
                self._renewing = None
                return
            tokens = tuple(self._queues)
            try:
                standing = self._committer.run(partial(self._renew_in_thread, tokens), None)
                self._note(tokens, standing)
            except Killed:
                raise
            except StoreError as error:
                logger.error('%s: %s', _CANNOT_RENEW, error_text(error))
            except BaseException as error:  # noqa: BLE001 - the claims are to be renewed in any case
                log_failure(logger, error, _CANNOT_RENEW)

    def _renew_in_thread(
        self, tokens: tuple[str, ...], db: sqlite3.Connection
    ) -> Mapping[str, float]:
        expires = time.monotonic() + self.lifetime
        return dict.fromkeys(renew(db, tokens, expires), expires)

    def _note(self, tokens: tuple[str, ...], standing: Mapping[str, float]) -> None:
        for token in tokens:
            queue = self._queues.get(token)
            if queue is None:
                continue  # it was given back meanwhile
            if token in standing:
                self._expires[token] = standing[token]
            else:
                logger.warning('%s: another instance has taken over', queue)
                self.forget(token)
                self._ring(queue)
