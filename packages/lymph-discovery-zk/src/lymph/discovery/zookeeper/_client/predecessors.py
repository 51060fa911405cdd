"""The nodes that a crashed predecessor left: who registers an endpoint removes others with it.

A process that was killed and started again at the same port has a new identity, and its old nodes
stand there until their session ends. An endpoint is one process, so they lead to the new one under
a name that it does not have. Removed are:

- in a service that is registered: nodes of other identities with this endpoint,
- in all other services: what these identities had registered with it.

Whoever was taken for a predecessor and lives makes its node again, as any node that is removed, and
removes nothing then: two that announce one endpoint stand side by side instead of in turns. The
nodes of this process are never removed: they have its identity, or its session.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

from kazoo.exceptions import BadVersionError, KazooException, NoNodeError

from lymph.config.printable import printable
from lymph.core.services import ServiceInstance
from lymph.discovery.names import escape
from lymph.discovery.zookeeper._client.session import ZookeeperSession
from lymph.discovery.zookeeper._registry.facts import decode

__all__ = ['Predecessors']

logger = logging.getLogger(__name__)


class Predecessors:
    """Removes what others have registered at an endpoint; `root` is above all namespaces."""

    def __init__(self, session: ZookeeperSession, root: str) -> None:
        self._session = session
        self._root = root

    def remove(self, path: str, instance: ServiceInstance) -> None:
        """Remove the predecessors of `instance`, which was registered at `path`; raises Away."""
        folder = path.rpartition('/')[0]
        identities = self._remove_from(folder, self._children(folder), instance)
        if not identities:
            return
        for namespace in self._children(self._root):
            for service in self._children(f'{self._root}/{namespace}'):
                other = f'{self._root}/{namespace}/{service}'
                if other == folder:
                    continue
                named = [
                    child
                    for child in self._children(other)
                    if any(child == i or child.startswith(f'{i}@') for i in identities)
                ]
                if self._remove_from(other, named, instance):
                    self._session.client.delete_async(other)  # refused while others are in it

    def _remove_from(self, folder: str, children: list[str], instance: ServiceInstance) -> set[str]:
        """Remove predecessors among `children`; returns the escaped identities of them."""
        found = set()
        for path, version, identity in self._predecessors(folder, children, instance):
            try:
                self._session.answer(self._session.client.delete_async(path, version))
            except (BadVersionError, NoNodeError):
                continue  # changed or gone in the meantime
            except KazooException as error:
                logger.warning(
                    '%s has the endpoint of this process and cannot be removed: %s',
                    printable(path),
                    type(error).__name__,
                )
                continue
            found.add(escape(identity))
            logger.info('%s was left by a predecessor at this endpoint; removed', printable(path))
        return found

    def _predecessors(
        self, folder: str, children: list[str], instance: ServiceInstance
    ) -> Iterator[tuple[str, int, str]]:
        client = self._session.client
        asked = {f'{folder}/{child}': client.get_async(f'{folder}/{child}') for child in children}
        for path, pending in asked.items():
            try:
                data, stat = self._session.answer(pending)
                other = decode(data, None)
            except (KazooException, ValueError):
                continue
            if (
                other.endpoint == instance.endpoint
                and other.identity != instance.identity
                and stat.ephemeralOwner != self._session.id
            ):
                yield path, stat.version, other.identity

    def _children(self, path: str) -> list[str]:
        try:
            children: list[str] = self._session.answer(
                self._session.client.get_children_async(path)
            )
        except KazooException:
            return []
        return children
