"""Removes the events of deleted queues and returns free pages to the disk, a few at a time.

One instance does it, the owner with the lowest id; where none consumes, those that emit.
"""

from __future__ import annotations

import logging
import sqlite3
from functools import partial

import gevent

from lymph.core._system.forks import abandon_in_children
from lymph.core.components import Component
from lymph.core.greenlets import Greenlet
from lymph.events._embedded.committer import Committer
from lymph.events._embedded.database import StoreError, give_back
from lymph.events._embedded.routing import remove_deleted

__all__ = ['Cleanup']

logger = logging.getLogger(__name__)

_PAUSE = 0.05  # seconds after each step, which takes about a tenth of that


class Cleanup:
    """Cleans up from each `start` until nothing is left to do, in a greenlet."""

    def __init__(self, component: Component, committer: Committer) -> None:
        self._component = component
        self._committer = committer
        self._greenlet: Greenlet | None = None
        self._abandoned = False
        abandon_in_children(self)

    def start(self, owner: int) -> None:
        """Begin, unless a cleanup is running; `owner` is this instance, 0 if it only emits."""
        if self._greenlet is None:
            self._greenlet = self._component.spawn(self._run, owner)

    def stop(self) -> None:
        """Stop; the other instances do the rest."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def abandon(self) -> None:
        """Stop after the current step, in a forked child."""
        self._abandoned = True

    def _run(self, owner: int) -> None:
        try:
            while not self._abandoned and self._committer.run(partial(_clean_up, owner), None):
                gevent.sleep(_PAUSE)
        except StoreError as error:
            logger.error('cannot clean up the events of this machine: %s', error)
        finally:
            self._greenlet = None


def _clean_up(owner: int, db: sqlite3.Connection) -> bool:
    """Do one step if that is the task of `owner`; return whether more is to do."""
    if db.execute('SELECT ifnull(min(id), 0) FROM owners').fetchone() != (owner,):
        return False
    return remove_deleted(db) or give_back(db)
