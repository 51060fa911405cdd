"""The contract of a partitioner: which partitions of a group each of its members is to consume.

It is for balance alone. That no two consume a partition at the same time is what the event system
promises (see `lymph.events.base`, exclusive), so members may disagree for a while: what a member
thinks it has to consume, it stands by for until whoever consumes it has let go.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from lymph.config import ConfigView
from lymph.core.components import Component

if TYPE_CHECKING:
    from lymph.discovery.base import BaseServiceRegistry

__all__ = ['Assigned', 'Partitioner']

#: called with the partitions that are the member's now; must not wait
Assigned = Callable[[frozenset[int]], object]


class Partitioner(Component, ABC):
    """Divides partitions among the members of groups, between `on_start` and `on_stop`."""

    @classmethod
    def from_config(cls, config: ConfigView, registry: BaseServiceRegistry) -> Partitioner:
        """Make it from the section `components.SerialEventHandler`.

        `registry` is the one in use. Raises ConfigurationError for keys and values it does not
        know.
        """
        raise NotImplementedError(f'{cls.__name__} cannot be configured')

    @abstractmethod
    def join(self, group: str, member: str, count: int, assigned: Assigned) -> None:
        """Make `member` one of the group, and tell which of the `count` partitions are its own.

        `assigned` is called before this returns, and again soon after members have come or gone.
        Every partition is given to one member; no member has two more than another. The members of
        a group are to agree on `count`. Raises RegistrationFailure or LookupFailure when the
        members cannot be known.
        """

    @abstractmethod
    def leave(self, group: str, member: str) -> None:
        """Take the member out and call its `assigned` no more; unknown ones are ignored."""
