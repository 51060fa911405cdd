"""The partitioner that keeps the members of a group in ZooKeeper, independent of the registry.

A member is an ephemeral node, ``<chroot>/serial/<group>/<member>``, and is deleted with its
session. So a process that stops running for longer than the session's timeout is not a member
until it runs again.
"""

from __future__ import annotations

from lymph.config import ConfigView
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.discovery.base import BaseServiceRegistry
from lymph.discovery.partitioning import RegistryPartitioner
from lymph.discovery.zookeeper._registry.registry import ZookeeperServiceRegistry

__all__ = ['ZookeeperPartitioner']


class ZookeeperPartitioner(RegistryPartitioner):
    """Divides partitions among the members that joined through the same ZooKeeper.

    The partitioner owns `registry`: it starts and stops it.
    """

    def __init__(self, registry: ZookeeperServiceRegistry) -> None:
        super().__init__(registry)
        self._own = registry

    @classmethod
    def from_config(cls, config: ConfigView, registry: BaseServiceRegistry) -> ZookeeperPartitioner:
        """Make the partitioner from the options of a registry in ZooKeeper, such as `zkclient`.

        The registry in use, `registry`, is ignored. Raises ConfigurationError for unknown options
        and for invalid values, as `ZookeeperServiceRegistry.from_config` does.
        """
        return cls(ZookeeperServiceRegistry.from_config(config))

    def connection_state(self) -> ConnectionState:
        """Return the state of the connection of its own to ZooKeeper."""
        return self._own.connection_state()

    def on_start(self) -> None:
        """Connect to the server.

        Raises RegistrationFailure when it does not answer within `connect_timeout` seconds.
        """
        self._own.parent = self
        self._own.on_start()

    def on_stop(self) -> None:
        """Leave all groups and end the session."""
        super().on_stop()
        self._own.on_stop()
