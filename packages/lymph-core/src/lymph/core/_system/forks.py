"""What a forked child must not share with its parent: locks and sockets that speak for the parent.

A descriptor that was open at a fork is the same lock, the same socket in both processes. Closing it
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
    """Something that can be let go of without undoing it."""

    def abandon(self) -> None:
        """Close what is open and refuse from now on; files, locks and peers stay as they are."""


def abandon_in_children(thing: Abandonable) -> None:
    """Call `thing.abandon()` in every child that this process forks while `thing` lives.

    Children that `exec` have nothing to abandon: Python opens descriptors with O_CLOEXEC.
    """
    _abandoned_in_children.add(thing)


# One table for the process: a function given to `os.register_at_fork` can never be taken out again.
_abandoned_in_children: WeakSet[Abandonable] = WeakSet()


def _abandon_all() -> None:
    for thing in tuple(_abandoned_in_children):
        try:
            thing.abandon()
        except BaseException as error:  # noqa: BLE001 - the others still have to be let go of
            log_failure(logger, error, '%s could not be abandoned after a fork', described(thing))
    _abandoned_in_children.clear()


os.register_at_fork(after_in_child=_abandon_all)
