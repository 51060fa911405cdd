"""One watched service: its node's children are its instances, and watches tell of changes.

A watch of ZooKeeper's tells once and ends with the connection. So every look sets them anew, and a
new connection means a look at everything.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from typing import Any

from gevent.lock import RLock
from kazoo.exceptions import NoNodeError
from kazoo.protocol.states import WatchedEvent

from lymph.core.services import Connector, Service, ServiceInstance
from lymph.discovery.zookeeper.session import Session

__all__ = ['ServiceView', 'decode', 'encode']

logger = logging.getLogger(__name__)

Watch = Callable[[WatchedEvent], None]


def encode(instance: ServiceInstance) -> bytes:
    """Return what a node says about an instance."""
    return json.dumps(instance.serialize()).encode()


def decode(data: bytes, connector: Connector | None) -> ServiceInstance:
    """Return the instance that a node tells of; raises ValueError."""
    facts = json.loads(data)
    if not isinstance(facts, dict):
        raise ValueError(f'expected an object, found {type(facts).__name__}')
    return ServiceInstance.deserialize(facts, connector)


class ServiceView:
    """Keeps `service` true to the node at `path`; `watch` is called with kazoo's events.

    `arm_parent()` sets a watch that tells of nodes beside this one, for as long as it is missing;
    it returns whether it was not set before.
    """

    def __init__(
        self,
        service: Service,
        path: str,
        session: Session,
        watch: Watch,
        arm_parent: Callable[[], bool],
    ) -> None:
        self.path = path
        self.stale = True  # there is a reason to look
        self.missing = False  # the node was not there at the last look
        self.keep_until = 0.0  # until then (monotonic) instances whose nodes are missing are kept
        self._service = service
        self._session = session
        self._watch = watch
        self._arm_parent = arm_parent
        self._lock = RLock()
        self._known: dict[str, ServiceInstance | None] = {}  # child -> None: no instance in it
        self._doubted: set[str] = set()
        self._closed = False

    def __repr__(self) -> str:
        return f'<ServiceView {self.path}>'

    def doubt(self, child: str | None = None) -> None:
        """Hear that a child, or (None) the node, has changed; never waits."""
        self.stale = True
        if child is not None:
            self._doubted.add(child)

    def doubt_all(self, keep_until: float) -> None:
        """Hear that changes may have been missed; never waits."""
        self.stale = True
        self._doubted.update(self._known)
        self.keep_until = keep_until

    def look(self) -> None:
        """Bring the service up to date; raises Away or a KazooException."""
        with self._lock:
            doubted, self._doubted = self._doubted, set()
            self.stale = False
            try:
                children = self._children()
                wanted = {child for child in children if child not in self._known} | doubted
                found = self._instances(wanted & children)
            except BaseException:
                self.stale = True
                self._doubted |= doubted
                raise
            if not self._closed:
                self._apply(children, found)

    def close(self) -> None:
        """Leave the service as it is from now on."""
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
        """Return what the children say; one that has gone is not in the result."""
        client = self._session.client
        asked = {child: client.get_async(f'{self.path}/{child}', self._watch) for child in children}
        found: dict[str, ServiceInstance | None] = {}
        for child, pending in asked.items():
            try:
                found[child] = self._decode(child, self._session.answer(pending))
            except NoNodeError:
                continue
        return found

    def _decode(self, child: str, answer: tuple[bytes, Any]) -> ServiceInstance | None:
        try:
            return decode(answer[0], self._service.connector)
        except (ValueError, RecursionError) as error:
            logger.warning('%s/%s is ignored: %s', self.path, child, error)
            return None

    def _apply(self, children: set[str], found: dict[str, ServiceInstance | None]) -> None:
        gone = self._known.keys() - children
        if gone and time.monotonic() < self.keep_until:
            logger.info('%s: %s instances are kept for now', self.path, len(gone))
        else:
            for child in gone:
                del self._known[child]
        self._known |= found
        self._service.update(one for one in self._known.values() if one is not None)
