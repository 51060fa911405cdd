"""The ephemeral nodes of this process: creates, repairs and deletes them until the server agrees.

An ephemeral node belongs to one session and is deleted with it. A wanted node that another session
owns has one of two reasons. A predecessor that crashed, or a lost session of this process, has left
it: then it is replaced. Or a successor took the name over: then it is left alone.

The parent, the node of the service, is deleted with its last child. The server refuses to delete a
node that has children, and a process that finds the parent missing between two steps creates it
again; so no cleanup deletes a registration.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gevent.lock import RLock
from kazoo.exceptions import BadVersionError, KazooException, NodeExistsError, NoNodeError
from kazoo.protocol.states import EventType, WatchedEvent

from lymph.discovery.zookeeper._client.session import Away, ZookeeperSession

__all__ = ['Nodes']

logger = logging.getLogger(__name__)

_ATTEMPTS = 10  # changes by others between two steps of one operation


@dataclass
class _WantedNode:
    """A wanted node; `session` created it, `checked` tells whether it exists as wanted."""

    data: bytes
    session: int | None = None
    checked: bool = False


class Nodes:
    """Keeps ephemeral nodes in place.

    `wake()` is called when `settle` has something to do; `acl` is set on all nodes that are
    created, parents included.
    """

    def __init__(self, session: ZookeeperSession, acl: Any, wake: Callable[[], object]) -> None:
        self._session = session
        self._acl = acl
        self._wake = wake
        self._lock = RLock()
        self._wanted: dict[str, _WantedNode] = {}
        self._unwanted: set[str] = set()

    def __contains__(self, path: str) -> bool:
        return path in self._wanted

    def put(self, path: str, data: bytes) -> None:
        """Create the node, or change its data; a former owner loses it.

        Raises Away or a KazooException; then it is as if nothing had been asked.
        """
        previous = self._wanted.get(path)
        node = _WantedNode(data)
        try:
            self._session.wait(self._session.timeout)
            with self._lock:
                self._wanted[path] = node
                self._unwanted.discard(path)
                self._publish(path, node, take_over=True)
        except BaseException:
            if self._wanted.get(path) is node:
                self._restore(path, previous)
                self._wake()
            raise

    def remove(self, path: str) -> None:
        """Delete the node, now or as soon as the server is back; unknown ones are ignored."""
        if self._wanted.pop(path, None) is None:
            return
        self._unwanted.add(path)
        try:
            if self._session.connected:
                self._settle_unwanted(path)
        except Away as error:
            logger.info('%s is removed later: %s', path, error)
            self._wake()

    def remove_all(self) -> None:
        """Delete all nodes; without a connection they are deleted with their session."""
        for path in tuple(self._wanted):
            if not self._session.connected:
                break
            self.remove(path)
        self._wanted.clear()
        self._unwanted.clear()

    def doubt_all(self) -> None:
        """Have `settle` check all nodes. Never waits."""
        for node in self._wanted.values():
            node.checked = False

    def settle(self) -> None:
        """Create and delete nodes until the server has the wanted ones; raises Away."""
        for path in tuple(self._unwanted):
            self._settle_unwanted(path)
        for path, node in tuple(self._wanted.items()):
            if not node.checked:
                self._settle_wanted(path, node)

    def _settle_wanted(self, path: str, node: _WantedNode) -> None:
        with self._lock:
            if self._wanted.get(path) is not node or node.checked:
                return
            try:
                self._publish(path, node, take_over=False)
            except KazooException as error:
                logger.error('cannot register %s again: %s', path, _named(error))

    def _settle_unwanted(self, path: str) -> None:
        with self._lock:
            if path not in self._unwanted:
                return
            try:
                self._delete_own(path)
            except KazooException as error:
                logger.error('cannot unregister %s: %s', path, _named(error))
            self._unwanted.discard(path)

    def _restore(self, path: str, previous: _WantedNode | None) -> None:
        if previous is not None:
            previous.checked = False
            self._wanted[path] = previous
        else:
            # it may have been created nevertheless
            del self._wanted[path]
            self._unwanted.add(path)

    def _publish(self, path: str, node: _WantedNode, take_over: bool) -> None:
        client, answer = self._session.client, self._session.answer
        for _ in range(_ATTEMPTS):
            node.checked = (
                True  # set before the request: an event that follows makes it False again
            )
            try:
                answer(client.create_async(path, node.data, self._acl, ephemeral=True))
                if node.session == self._session.id:
                    logger.warning('%s was removed; registered again', path)
                node.session = self._session.id
            except NoNodeError:
                answer(client.ensure_path_async(path.rpartition('/')[0], self._acl))
                continue
            except NodeExistsError:
                if not self._take(path, node, take_over):
                    continue
            if answer(client.exists_async(path, self._changed)) is not None:
                return
        raise Away(f'{path} is changed by others all the time')

    def _take(self, path: str, node: _WantedNode, take_over: bool) -> bool:
        """Turn an existing node into the wanted one; return False when it changed meanwhile."""
        client, answer = self._session.client, self._session.answer
        try:
            data, stat = answer(client.get_async(path))
            if stat.ephemeralOwner == self._session.id:
                node.session = stat.ephemeralOwner
                if data != node.data:
                    answer(client.set_async(path, node.data))
            elif take_over or stat.ephemeralOwner == node.session:
                exchange = client.transaction()
                exchange.delete(path, stat.version)
                exchange.create(path, node.data, self._acl, ephemeral=True)
                for result in answer(exchange.commit_async()):
                    if isinstance(result, Exception):
                        raise result
                node.session = self._session.id
            else:
                logger.warning('%s was taken over by another process and is left to it', path)
        except (BadVersionError, NodeExistsError, NoNodeError):
            return False
        return True

    def _delete_own(self, path: str) -> None:
        client, answer = self._session.client, self._session.answer
        try:
            stat = answer(client.exists_async(path))
            if stat is not None and stat.ephemeralOwner == self._session.id:
                answer(client.delete_async(path, stat.version))
                client.delete_async(path.rpartition('/')[0])  # refused while others are in it
        except (BadVersionError, NoNodeError):
            pass  # it is a successor's, or gone

    def _changed(self, event: WatchedEvent) -> None:
        node = self._wanted.get(event.path)
        if node is not None and event.type != EventType.NONE:
            node.checked = False
            self._wake()


def _named(error: Exception) -> str:
    return f'{type(error).__name__} {error}'.strip()
