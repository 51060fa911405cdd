"""The ephemeral nodes of this process: create, repair and delete them on the server.

An ephemeral node belongs to one session and is deleted with it. A wanted node may be owned by
another session for one of two reasons. If a crashed predecessor or a lost session of this process
left it, it is replaced. If a successor took the name over, it is left alone.

The parent, the node of the service, is deleted with its last child. The server refuses to delete a
node that has children, and a process that finds the parent missing between two steps creates it
again, so deleting parents never removes a registration.
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

_ATTEMPTS = 10  # of one operation, each failing because others changed the node in between


@dataclass
class _WantedNode:
    """A wanted node: `session` owns it; `checked` means that it exists on the server as wanted."""

    data: bytes
    session: int | None = None
    checked: bool = False


class Nodes:
    """Keeps the ephemeral nodes of this process on the server.

    `wake()` is called when `settle` has something to do. All nodes that are created, parents
    included, get `acl`.
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
        """Create the node, or change its data; a node of another session is replaced.

        Raises Away when the server does not answer in time, and a KazooException when it refuses.
        After an error the node is wanted exactly as it was before the call.
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
        """Delete the node now, or when the connection is back. Unknown paths are ignored."""
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
        """Delete all nodes. Without a connection they stay until the server ends their session."""
        for path in tuple(self._wanted):
            if not self._session.connected:
                break
            self.remove(path)
        self._wanted.clear()
        self._unwanted.clear()

    def doubt_all(self) -> None:
        """Make the next `settle` check all nodes. Never waits."""
        for node in self._wanted.values():
            node.checked = False

    def settle(self) -> None:
        """Create and delete nodes so that the server has exactly the wanted ones.

        Nodes that the server refuses to change are logged as errors. Raises Away when it does not
        answer in time.
        """
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
            # the request may have been executed although it failed here
            del self._wanted[path]
            self._unwanted.add(path)

    def _publish(self, path: str, node: _WantedNode, take_over: bool) -> None:
        client, answer = self._session.client, self._session.answer
        for _ in range(_ATTEMPTS):
            node.checked = True  # before the request: an event that arrives meanwhile resets it
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
        """Turn an existing node into the wanted one; return False if others changed it meanwhile.

        A node of this session gets the wanted data. A node of another session is replaced in one
        transaction if `take_over` is set or an earlier session of this process owns it; otherwise
        it is left to its owner.
        """
        client, answer = self._session.client, self._session.answer
        try:
            data, stat = answer(client.get_async(path))
            if stat.ephemeralOwner == self._session.id:
                # still there, or made by a request whose answer was lost
                node.session = stat.ephemeralOwner
                if data != node.data:
                    answer(client.set_async(path, node.data))
            elif take_over or stat.ephemeralOwner == node.session:
                exchange = client.transaction()
                exchange.delete(path, stat.version)
                exchange.create(path, node.data, self._acl, ephemeral=True)
                # kazoo returns the errors of a transaction instead of raising them.
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
            pass  # a successor owns it, or it is gone

    def _changed(self, event: WatchedEvent) -> None:
        node = self._wanted.get(event.path)
        if node is not None and event.type != EventType.NONE:
            node.checked = False
            self._wake()


def _named(error: Exception) -> str:
    return f'{type(error).__name__} {error}'.strip()
