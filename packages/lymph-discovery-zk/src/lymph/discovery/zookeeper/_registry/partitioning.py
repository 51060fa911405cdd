"""The partitioner that finds the members of a group in ZooKeeper, whatever the registry in use.

A member is an ephemeral node, ``<chroot>/serial/<group>/<member>``: it is gone with its session,
so a process that stands still for longer than a session lasts is no member until it goes on.
"""

from __future__ import annotations

from lymph.config import ConfigView
from lymph.discovery.base import BaseServiceRegistry
from lymph.discovery.partitioning import RegistryPartitioner
from lymph.discovery.zookeeper._registry.registry import ZookeeperServiceRegistry

__all__ = ['ZookeeperPartitioner']


class ZookeeperPartitioner(RegistryPartitioner):
    """Divides partitions among the members that joined through the same ZooKeeper.

    `registry` is its own: it is started and stopped with the partitioner.
    """

    def __init__(self, registry: ZookeeperServiceRegistry) -> None:
        super().__init__(registry)
        self._own = registry

    @classmethod
    def from_config(cls, config: ConfigView, registry: BaseServiceRegistry) -> ZookeeperPartitioner:
        """Make it from the options of the registry in ZooKeeper, such as `zkclient`.

        Raises ConfigurationError as `ZookeeperServiceRegistry.from_config` does.
        """
        return cls(ZookeeperServiceRegistry.from_config(config))

    def on_start(self) -> None:
        """Connect to the server; raises RegistrationFailure when it does not answer in time."""
        self._own.parent = self
        self._own.on_start()

    def on_stop(self) -> None:
        """Leave all groups and end the session."""
        super().on_stop()
        self._own.on_stop()
