"""The registry in ZooKeeper, and the partitioner: ephemeral nodes, watched by who wants to know."""

from __future__ import annotations

from lymph.discovery.zookeeper._registry.partitioning import ZookeeperPartitioner
from lymph.discovery.zookeeper._registry.registry import ZookeeperServiceRegistry

__all__ = ['ZookeeperPartitioner', 'ZookeeperServiceRegistry']
