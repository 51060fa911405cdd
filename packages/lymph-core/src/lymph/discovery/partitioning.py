"""The partitioner that finds the members of a group in a service registry.

A group is a name in the registry's namespace ``serial``, a member is an instance there: so the
registry reports members that join, leave, or die with their process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lymph.config import ConfigView
from lymph.core._protocol.partitions import divide
from lymph.core.options import refuse_unknown
from lymph.core.partitioning import Assigned, Partitioner
from lymph.core.services import Change, ServiceInstance
from lymph.discovery.base import BaseServiceRegistry

__all__ = ['SERIAL', 'RegistryPartitioner']

SERIAL = 'serial'  # the namespace of the groups


@dataclass
class _Membership:
    instance: ServiceInstance
    end: Callable[[], object] = bool


class RegistryPartitioner(Partitioner):
    """Divides partitions among the members that have joined through the same service registry."""

    def __init__(self, registry: BaseServiceRegistry) -> None:
        super().__init__()
        self._registry = registry
        self._memberships: dict[tuple[str, str], _Membership] = {}

    @classmethod
    def from_config(cls, config: ConfigView, registry: BaseServiceRegistry) -> RegistryPartitioner:
        """Make a partitioner for `registry`; raises ConfigurationError for any option."""
        refuse_unknown(config, ())
        return cls(registry)

    def join(self, group: str, member: str, count: int, assigned: Assigned) -> None:
        """Register the member in the group and call `assigned` with its partitions, now and later.

        Raises RegistrationFailure or LookupFailure if the registry cannot be used; then the member
        has not joined.
        """
        # not the endpoint for calls, whose connections are closed when the service unregisters
        instance = ServiceInstance(member, f'{SERIAL}://{member}')
        membership = self._memberships[group, member] = _Membership(instance)
        try:
            self._registry.register(group, instance, SERIAL)
            service = self._registry.get(group, SERIAL)
        except BaseException:
            self.leave(group, member)
            raise

        def tell() -> None:
            # including this member, even if the registry does not show it yet
            members = {member, *(each.identity for each in service)}
            assigned(divide(members, count)[member])

        membership.end = service.observe(_ignoring_arguments(tell))
        tell()

    def leave(self, group: str, member: str) -> None:
        """Unregister the member; unknown members are ignored."""
        membership = self._memberships.pop((group, member), None)
        if membership is None:
            return
        membership.end()
        self._registry.unregister(group, membership.instance, SERIAL)
        if not any(known == group for known, _ in self._memberships):
            self._registry.forget(group, SERIAL)

    def on_stop(self) -> None:
        """Leave all groups."""
        for group, member in tuple(self._memberships):
            self.leave(group, member)


def _ignoring_arguments(tell: Callable[[], None]) -> Callable[[Change, ServiceInstance], None]:
    return lambda change, instance: tell()
