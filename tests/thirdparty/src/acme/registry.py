"""A registry of the instances of its own process."""

from __future__ import annotations

from typing import Any

from lymph.config import ConfigView
from lymph.core.services import Service, ServiceInstance
from lymph.discovery.base import RPC, BaseServiceRegistry

__all__ = ['AcmeRegistry']


class AcmeRegistry(BaseServiceRegistry):
    """Keeps instances in a table, and brings watched services up to date at each change."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._table: dict[tuple[str, str], dict[str, ServiceInstance]] = {}
        self._watched: set[tuple[str, Service]] = set()

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> AcmeRegistry:
        return cls(**kwargs)

    def discover(self, namespace: str = RPC) -> set[str]:
        return {
            name
            for (home, name), instances in self._table.items()
            if instances and home == namespace
        }

    def register(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        self._table.setdefault((namespace, name), {})[instance.key] = instance
        self._tell()

    def unregister(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        self._table.get((namespace, name), {}).pop(instance.key, None)
        self._tell()

    def watch(self, service: Service, namespace: str) -> None:
        self._watched.add((namespace, service))
        self._tell()

    def unwatch(self, service: Service, namespace: str) -> None:
        self._watched.discard((namespace, service))

    def _tell(self) -> None:
        for namespace, service in self._watched:
            known = self._table.get((namespace, service.name), {}).values()
            service.update(
                ServiceInstance.deserialize(each.serialize(), self.connector) for each in known
            )
