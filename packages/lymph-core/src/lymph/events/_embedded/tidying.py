"""Tidying up, a bit at a time, so that nobody waits for it: what is in queues that have ended is
removed, and free pages of the file go back to the disk.

One instance does it; where none consumes, those that emit.
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
from lymph.events._embedded.ending import sweep

__all__ = ['Tidying']

logger = logging.getLogger(__name__)

_PAUSE = 0.05  # seconds after each bit, which takes about a tenth of that


class Tidying:
    """Tidies up when it is started, until there is nothing more to do."""

    def __init__(self, component: Component, committer: Committer) -> None:
        self._component = component
        self._committer = committer
        self._greenlet: Greenlet | None = None
        self._abandoned = False
        abandon_in_children(self)

    def start(self, owner: int) -> None:
        """Begin, if that is not under way and the task of `owner` (0: an instance that is none)."""
        if self._greenlet is None:
            self._greenlet = self._component.spawn(self._run, owner)

    def stop(self) -> None:
        """Leave the rest to others."""
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def abandon(self) -> None:
        """Leave everything to the parent process."""
        self._abandoned = True

    def _run(self, owner: int) -> None:
        try:
            while not self._abandoned and self._committer.run(partial(_tidy, owner), None):
                gevent.sleep(_PAUSE)
        except StoreError as error:
            logger.error('cannot tidy up the events of this machine: %s', error)
        finally:
            self._greenlet = None


def _tidy(owner: int, db: sqlite3.Connection) -> bool:
    """Do a bit; returns whether there is more to do."""
    if db.execute('SELECT ifnull(min(id), 0) FROM owners').fetchone() != (owner,):
        return False
    return sweep(db) or give_back(db)
