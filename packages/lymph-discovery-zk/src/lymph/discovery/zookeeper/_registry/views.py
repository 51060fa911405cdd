"""One watched service: its instances are the children of its node.

A watch in ZooKeeper reports one change and ends with the connection. So every read sets the
watches again, and after a new connection everything is read again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from gevent.lock import RLock
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.protocol.states import WatchedEvent

from lymph.core.monitoring.once_log import OnceLog
from lymph.core.services import Service, ServiceInstance
from lymph.discovery.names import escape
from lymph.discovery.zookeeper._client.session import ZookeeperSession
from lymph.discovery.zookeeper._registry.facts import FormerInstance, decode

__all__ = ['ServiceView']

logger = logging.getLogger(__name__)

_FORMER = (
    'instances of lymph 0.15 are left out: they speak another protocol; set '
    'container.registry.chroot to a node of your own'
)

Watch = Callable[[WatchedEvent], None]


class ServiceView:
    """Keeps `service` up to date with the node at `path`.

    kazoo calls `watch` with its events. While the node is missing, `arm_parent()` sets a watch for
    the children of its parent; it returns False if that watch is already set. `log` gets one
    warning for each ignored child.
    """

    def __init__(
        self,
        service: Service,
        path: str,
        session: ZookeeperSession,
        watch: Watch,
        arm_parent: Callable[[], bool],
        log: OnceLog,
    ) -> None:
        self.path = path
        self.stale = True  # something may have changed since the last read
        self.missing = False  # the node did not exist at the last read
        self.keep_until = 0.0  # instances without nodes are kept until this monotonic time
        self._service = service
        self._session = session
        self._watch = watch
        self._arm_parent = arm_parent
        self._log = log
        self._lock = RLock()
        self._known: dict[str, ServiceInstance | None] = {}  # by child; None: not an instance
        self._unreadable: set[str] = set()  # children; no event reports that they became readable
        self._doubted: set[str] = set()  # children that may have changed since the last read
        self._closed = False

    def __repr__(self) -> str:
        return f'<ServiceView {self.path}>'

    def doubt(self, child: str | None = None) -> None:
        """Note that a child, or with None the node itself, may have changed. Never waits."""
        self.stale = True
        if child is not None:
            self._doubted.add(child)

    def doubt_all(self, keep_until: float) -> None:
        """Note that events may have been missed. Never waits.

        Instances whose nodes are missing are kept until `keep_until` on the monotonic clock.
        """
        self.stale = True
        self._doubted.update(self._known)
        self.keep_until = keep_until

    def look(self) -> None:
        """Read the node and the changed children, and update the service.

        Raises Away when the server does not answer in time, and a KazooException when it refuses;
        the view stays stale then.
        """
        with self._lock:
            doubted, self._doubted = self._doubted, set()
            self.stale = False
            try:
                children = self._children()
                wanted = {child for child in children if child not in self._known} | doubted
                wanted |= self._unreadable
                found = self._instances(wanted & children)
            except BaseException:
                self.stale = True
                self._doubted |= doubted
                raise
            if not self._closed:
                self._apply(children, found)

    def close(self) -> None:
        """Stop changing the service."""
        self._closed = True

    def _children(self) -> set[str]:
        client, answer = self._session.client, self._session.answer
        while True:
            try:
                children = set(answer(client.get_children_async(self.path, self._watch)))
                self.missing = False
                return children
            except NoNodeError:
                self.missing = True
                if not self._arm_parent():
                    return set()

    def _instances(self, children: set[str]) -> dict[str, ServiceInstance | None]:
        """Return the instance in each child, or None; children that are gone are left out."""
        client = self._session.client
        # Ask for all before waiting for the first answer: one round trip instead of many.
        asked = {child: client.get_async(f'{self.path}/{child}', self._watch) for child in children}
        found: dict[str, ServiceInstance | None] = {}
        for child, pending in asked.items():
            try:
                found[child] = self._instance(child, self._session.answer(pending))
            except NoNodeError:
                continue  # it was deleted after the children were listed
            except KazooException as error:
                self._unreadable.add(child)
                self._ignore(child, type(error).__name__)
                found[child] = None
        return found

    def _instance(self, child: str, answer: tuple[bytes, Any]) -> ServiceInstance | None:
        self._unreadable.discard(child)
        try:
            instance = decode(answer[0], self._service.connector)
        except FormerInstance:
            self._log.warn(self.path.rsplit('/', 2)[0] or '/', _FORMER)  # one line for all nodes
            return None
        except ValueError as error:
            self._ignore(child, str(error))
            return None
        self._log.forget(f'{self.path}/{child}')
        return instance

    def _ignore(self, child: str, reason: str) -> None:
        self._log.warn(f'{self.path}/{child}', f'ignored: {reason}')

    def _apply(self, children: set[str], found: dict[str, ServiceInstance | None]) -> None:
        gone = self._known.keys() - children
        if gone and time.monotonic() < self.keep_until:
            logger.info('%s: %s instances are kept for now', self.path, len(gone))
        else:
            for child in gone:
                del self._known[child]
                self._unreadable.discard(child)
                self._log.forget(f'{self.path}/{child}')
        self._known |= found
        self._service.update(self._chosen())

    def _chosen(self) -> list[ServiceInstance]:
        """Return the instances. Among several with one key, a node named after the key wins."""
        chosen: dict[str, ServiceInstance] = {}
        for child, instance in sorted(self._known.items()):
            if instance is not None:
                key = instance.key
                if key not in chosen or child == escape(key):
                    chosen[key] = instance
        return list(chosen.values())
