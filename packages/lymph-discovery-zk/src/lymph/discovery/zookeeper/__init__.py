"""The registry in ZooKeeper: ephemeral nodes, watched by whoever looked a service up."""

from __future__ import annotations

from lymph.discovery.zookeeper.registry import ZookeeperServiceRegistry

__all__ = ['ZookeeperServiceRegistry']
