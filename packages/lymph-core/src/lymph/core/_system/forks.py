"""Forks: a child must let go of the locks and sockets that it shares with its parent.

A descriptor that was open at a fork refers to the same lock or socket in both processes. Closing it
in the child changes nothing for the parent; unlocking it or reading from it would.
"""

from __future__ import annotations

import logging
import os
from typing import Protocol
from weakref import WeakSet

from lymph.core.failures import described, log_failure

__all__ = ['Abandonable', 'abandon_in_children']

logger = logging.getLogger(__name__)


class Abandonable(Protocol):
    """An object that must not be used in a forked child."""

    def abandon(self) -> None:
        """In a forked child, close descriptors and refuse further use.

        Must not change files, release locks, or send anything to peers: they are the parent's.
        """


def abandon_in_children(thing: Abandonable) -> None:
    """Call `thing.abandon()` in every child that this process forks while `thing` exists.

    Children that call `exec` need nothing: Python opens descriptors with O_CLOEXEC.
    """
    _abandoned_in_children.add(thing)


# One table for the process, since `os.register_at_fork` has no way to remove a function.
_abandoned_in_children: WeakSet[Abandonable] = WeakSet()


def _abandon_all() -> None:
    for thing in tuple(_abandoned_in_children):
        try:
            thing.abandon()
        except BaseException as error:  # noqa: BLE001 - the others still have to be abandoned
            log_failure(logger, error, '%s could not be abandoned after a fork', described(thing))
    _abandoned_in_children.clear()


os.register_at_fork(after_in_child=_abandon_all)
