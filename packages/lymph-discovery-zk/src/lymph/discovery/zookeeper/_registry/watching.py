"""All watched services of a process, and the dispatch of kazoo's events to their views.

Services without a node share one watch on the parent node, which reports when a node is created.
So looking up names that nobody offers leaves nothing in ZooKeeper.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gevent.pool import Pool
from kazoo.exceptions import KazooException, NoNodeError
from kazoo.protocol.states import WatchedEvent

from lymph.core.monitoring.once_log import OnceLog
from lymph.core.services import Service
from lymph.discovery.zookeeper._client.session import Away, ZookeeperSession
from lymph.discovery.zookeeper._registry.views import ServiceView

__all__ = ['Watching']

_AT_ONCE = 32  # services that are read concurrently


class Watching:
    """Keeps services up to date while they are watched.

    `wake()` is called when `settle` has work to do; `log` gets one warning for each ignored node.
    """

    def __init__(self, session: ZookeeperSession, wake: Callable[[], object], log: OnceLog) -> None:
        self._session = session
        self._wake = wake
        self._log = log
        self._views: dict[Service, ServiceView] = {}
        self._by_path: dict[str, list[ServiceView]] = {}
        self._armed: set[str] = set()  # parents with a watch that has not reported yet
        self._keep_until = 0.0

    def add(self, service: Service, path: str) -> None:
        """Fill `service` from the node at `path` and keep it up to date.

        Raises Away when the server does not answer in time, and a KazooException when it refuses;
        the service is not watched then.
        """
        parent = path.rpartition('/')[0]
        view = ServiceView(
            service, path, self._session, self._event, lambda: self._arm(parent), self._log
        )
        view.keep_until = self._keep_until
        self._views[service] = view
        self._by_path.setdefault(path, []).append(view)
        try:
            self.look(service)
        except BaseException:
            self.remove(service)
            raise

    def remove(self, service: Service) -> None:
        """Stop changing `service`. Unknown services are ignored."""
        view = self._views.pop(service, None)
        if view is not None:
            view.close()
            beside = self._by_path[view.path]
            beside.remove(view)
            if not beside:
                del self._by_path[view.path]

    def look(self, service: Service) -> None:
        """Bring `service` up to date with the leader of the ensemble.

        Services that are not watched are ignored. Raises Away when the server does not answer in
        time, and a KazooException when it refuses.
        """
        view = self._views.get(service)
        if view is not None:
            self._session.wait(self._session.timeout)
            # Requests are answered in order, so reads after a sync see the leader's present state.
            self._session.client.sync_async(view.path)
            view.look()

    def connected(self) -> None:
        """Handle a new connection, which has no watches yet. Never waits.

        After an outage in which the sessions of others may have expired as well, instances whose
        nodes are missing are kept for the lifetime of a session, because their owners are about to
        register again.
        """
        self._armed.clear()
        if self._session.lapsed:
            self._keep_until = time.monotonic() + self._session.lifetime
        for view in self._views.values():
            view.doubt_all(self._keep_until)

    def settle(self) -> float | None:
        """Read the services that have changed.

        Return the seconds until the next call is due, or None if none is due before `wake()` is
        called. Raises Away when the server does not answer in time.
        """
        remaining = self._keep_until - time.monotonic()
        # `_keep_until` is 0 while nothing is kept. When it is over, the views drop what is missing.
        if self._keep_until and remaining <= 0:
            self._keep_until = 0.0
            for view in self._views.values():
                view.doubt()
        stale = [view for view in self._views.values() if view.stale]
        failures = [one for one in Pool(_AT_ONCE).map(self._look, stale) if one is not None]
        # Only now, so that one failure does not keep the other services out of date.
        if failures:
            raise failures[0]
        return max(remaining, 0.0) if self._keep_until else None

    def close(self) -> None:
        """Stop watching everything."""
        for service in tuple(self._views):
            self.remove(service)

    def _look(self, view: ServiceView) -> Away | None:
        try:
            view.look()
        except Away as error:
            return error
        except KazooException as error:
            self._log.warn(view.path, f'stays as it was known: {type(error).__name__} {error}')
            view.stale = False  # this user may not read it; the next event causes another attempt
        return None

    def _arm(self, parent: str) -> bool:
        """Watch for new children of `parent`; return False if the watch was already set."""
        if parent in self._armed:
            return False
        client, answer = self._session.client, self._session.answer
        try:
            answer(client.get_children_async(parent, self._event))
        except NoNodeError:
            answer(client.exists_async(parent, self._event))
        self._armed.add(parent)
        return True

    def _event(self, event: WatchedEvent) -> None:
        path: Any = event.path
        if path is None:
            return  # the event is about the connection
        if path in self._armed:
            self._armed.discard(path)
            for view in self._views.values():
                if view.missing:
                    view.doubt()
        for view in self._by_path.get(path, ()):
            view.doubt()
        parent, _, child = path.rpartition('/')
        for view in self._by_path.get(parent, ()):
            view.doubt(child)
        self._wake()
