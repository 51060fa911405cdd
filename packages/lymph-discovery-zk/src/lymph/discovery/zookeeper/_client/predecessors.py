"""Remove the nodes of crashed predecessors: earlier processes with the endpoint of this one.

A process that was killed and restarted on the same port has a new identity, and the nodes of the
old process remain until their session ends. They send calls to the new process, which does not
have that identity and may not offer that service. When an instance is registered, these nodes are
removed:

- in its service: the nodes of other identities that have its endpoint,
- in all other services: the nodes of the identities found there, if they have this endpoint.

A live process that was mistaken for a predecessor creates its node again, as it does for every node
that others remove, and this time removes nothing. So two processes that announce one endpoint
both stay registered, instead of removing each other in turns. The nodes of this process are never
removed: they have its identity, or belong to its session.
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
    """Removes the nodes of other identities that have the endpoint of an instance.

    `root` is the path of the node above all namespaces.
    """

    def __init__(self, session: ZookeeperSession, root: str) -> None:
        self._session = session
        self._root = root

    def remove(self, path: str, instance: ServiceInstance) -> None:
        """Remove the predecessors of `instance`, which is registered at `path`.

        Nodes that may not be removed are left, with a warning. Raises Away when the server does
        not answer.
        """
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
        """Remove the predecessors among `children`; return their escaped identities."""
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
        # Ask for all before waiting for the first answer: one round trip instead of many.
        asked = {f'{folder}/{child}': client.get_async(f'{folder}/{child}') for child in children}
        for path, pending in asked.items():
            try:
                data, stat = self._session.answer(pending)
                other = decode(data, None)
            except (KazooException, ValueError):
                continue  # nothing tells that it is a predecessor's
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
