"""The contract of a partitioner: it assigns the partitions of a group to the group's members.

Partitioners only balance the load. That two members never consume a partition at the same time is
guaranteed by the event system (see `lymph.events.base`, exclusive). So members may disagree for a
while: a member waits for its new partition until the former consumer has released it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from lymph.config import ConfigView
from lymph.core.components import Component
from lymph.core.monitoring.connection_states import ConnectionState

if TYPE_CHECKING:
    from lymph.discovery.base import BaseServiceRegistry

__all__ = ['Assigned', 'Partitioner']

#: called with the numbers of all partitions that the member has now; must not wait
Assigned = Callable[[frozenset[int]], object]


class Partitioner(Component, ABC):
    """Divides partitions among the members of groups, between `on_start` and `on_stop`."""

    def connection_state(self) -> ConnectionState | None:
        """Return the state of a connection that only the partitioner uses; None if it has none.

        Never waits; may be called by another native thread.
        """
        return None

    @classmethod
    def from_config(cls, config: ConfigView, registry: BaseServiceRegistry) -> Partitioner:
        """Make a partitioner from the section `components.SerialEventHandler`.

        `registry` is the one of the container. Raises ConfigurationError for unknown keys and
        invalid values.
        """
        raise NotImplementedError(f'{cls.__name__} cannot be configured')

    @abstractmethod
    def join(self, group: str, member: str, count: int, assigned: Assigned) -> None:
        """Add `member` to the group and assign its share of the partitions 0 to `count` - 1.

        `assigned` is called before this returns, and again whenever members have joined or left.
        Each partition is assigned to one member; the numbers of two members differ by at most one.
        All members of a group must give the same `count`. Raises RegistrationFailure or
        LookupFailure if the registry cannot be used.
        """

    @abstractmethod
    def leave(self, group: str, member: str) -> None:
        """Remove a member; its `assigned` is not called any more. Unknown members are ignored."""
