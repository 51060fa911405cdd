"""The registry in ZooKeeper: an ephemeral node for each instance, with its facts as JSON.

::

    <chroot>/services/<name>/<key>        instances that answer calls
    <chroot>/<namespace>/<name>/<key>     instances of other namespaces, such as http

While the server does not answer, services keep their last known instances. When the connection is
back, the instances of this process are registered again and all watched services are read again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event
from kazoo.exceptions import AuthFailedError, KazooException, NoAuthError, NoNodeError

from lymph.config import ConfigView, Location
from lymph.config.printable import quoted
from lymph.core._system.refusals import made_before_fork
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.core.monitoring.log_limits import Reminder
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.options import refuse_unknown
from lymph.core.services import Service, ServiceInstance
from lymph.discovery.base import RPC, BaseServiceRegistry, check_registration
from lymph.discovery.names import escape, name_in
from lymph.discovery.partitioning import SERIAL
from lymph.discovery.zookeeper._client.access import Access
from lymph.discovery.zookeeper._client.clients import check_client, client_from_config
from lymph.discovery.zookeeper._client.paths import DEFAULT_CHROOT, check_path
from lymph.discovery.zookeeper._client.predecessors import Predecessors
from lymph.discovery.zookeeper._client.session import Away, ZookeeperSession
from lymph.discovery.zookeeper._registry.facts import encode
from lymph.discovery.zookeeper._registry.nodes import Nodes
from lymph.discovery.zookeeper._registry.watching import Watching
from lymph.exceptions import LookupFailure, RegistrationFailure

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['ZookeeperServiceRegistry']

logger = logging.getLogger(__name__)

_FOLDERS = {RPC: 'services'}
_LONGEST_CONNECT = 24 * 3600  # seconds
_PAUSE = 1.0  # seconds between two tries while there is a connection but no answer
_FAREWELL = 2.0  # seconds to delete nodes at the stop; the others are deleted with the session
_HINTS: dict[type[Exception], str] = {
    AuthFailedError: '(the server refuses the auth of zkclient)',
    NoAuthError: '(not allowed for this user: see auth and acl)',
}


class ZookeeperServiceRegistry(BaseServiceRegistry):
    """Registers instances through `zkclient`, a kazoo client with the gevent handler.

    ===================  ===========================================================================
    `chroot`             path of the node above all others; `/lymph-registry` by default
    `connect_timeout`    seconds to wait for a connection, and for each answer; 10 by default
    `access`             identity and ACL of the nodes; no identity and open by default
    `where`              the place in the configuration that defines the client, for errors
    ===================  ===========================================================================

    The registry starts and stops a client that is not connected yet; a connected client stays
    connected. Raises ConfigurationError for an object that is not a kazoo client, and for a client
    with another handler.
    """

    def __init__(
        self,
        zkclient: Any,
        *,
        chroot: str = DEFAULT_CHROOT,
        connect_timeout: float = 10.0,
        access: Access | None = None,
        where: Location | str | None = None,
        **kwargs: Unpack[ComponentParts],
    ) -> None:
        super().__init__(**kwargs)
        check_client(zkclient, where)
        access = Access() if access is None else access
        access.authenticate(zkclient)
        self._root = chroot.rstrip('/')
        self._wake = Event()
        self._session = ZookeeperSession(zkclient, connect_timeout, self._connected)
        self._nodes = Nodes(self._session, access.acl, self._wake.set)
        self._predecessors = Predecessors(self._session, self._root)
        self._log = OnceLog(logger, 'entries of the registry')
        self._watching = Watching(self._session, self._wake.set, self._log)
        self._keeper: gevent.Greenlet[..., Any] | None = None

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> ZookeeperServiceRegistry:
        """Make the registry from `zkclient`, `chroot`, `connect_timeout`, `auth` and `acl`.

        Raises ConfigurationError for other options and for invalid values.
        """
        refuse_unknown(config, ('acl', 'auth', 'chroot', 'connect_timeout', 'zkclient'))
        try:
            chroot = check_path(config.get_line('chroot', DEFAULT_CHROOT))
        except ValueError as error:
            found = config.describe('chroot')
            raise config.error('chroot', f'{error}, found {found}') from None
        timeout = config.get_seconds('connect_timeout', 10.0, maximum=_LONGEST_CONNECT)
        return cls(
            client_from_config(config, 'zkclient'),
            chroot=chroot,
            connect_timeout=timeout,
            access=Access.from_config(config),
            where=config.locate('zkclient'),
            **kwargs,
        )

    @property
    def description(self) -> str:
        """The servers and the path of the root node, for an operator."""
        return f'{self._session} below {self._session.client.chroot}{self._root or "/"}'

    def connection_state(self) -> ConnectionState:
        """Return the state of the connection to ZooKeeper.

        Never waits; may be called by another native thread.
        """
        return self._session.state

    @property
    def servers(self) -> list[tuple[str, int]]:
        """The hosts and ports of all servers of the client."""
        return list(self._session.client.hosts)

    def on_start(self) -> None:
        """Connect to the server.

        Raises RegistrationFailure when it does not answer within `connect_timeout` seconds.
        """
        try:
            self._session.start()
        except Away as error:
            raise RegistrationFailure(f'{error}, or correct container.registry.zkclient') from error
        self._keeper = self.spawn(self._keep)

    def on_stop(self) -> None:
        """Delete the nodes of this process, stop watching and end the session.

        Waits up to 2 s for the deletion; the server deletes what is left with the session.
        """
        if self._keeper is not None:
            self._keeper.kill()
            self._keeper = None
        if not self._session.forked:
            gevent.with_timeout(_FAREWELL, self._nodes.remove_all, timeout_value=None)
        super().on_stop()
        self._watching.close()
        self._session.stop()
        self._log.close()

    def discover(self, namespace: str = RPC) -> set[str]:
        """Return the names of all services that have an instance now, as the leader knows them.

        Deletes the nodes of services without instances, which crashed processes leave. Raises
        LookupFailure when the server does not answer in time or refuses, and in a forked child.
        """
        folder = self._path(namespace)
        client, answer = self._session.client, self._session.answer
        with self._asking(f'discover {namespace}'):
            self._session.wait(self._session.timeout)
            # Requests are answered in order, so what follows is as new as the leader at the sync.
            client.sync_async(folder)
            try:
                parts = answer(client.get_children_async(folder))
            except NoNodeError:
                return set()
            asked = {part: client.exists_async(f'{folder}/{part}') for part in parts}
            stats = {part: answer(pending) for part, pending in asked.items()}
        return {
            name
            for part, stat in stats.items()
            # None: its node was deleted after the list was read
            if stat and (name := self._name_in(folder, part, stat)) is not None
        }

    def register(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Create the node of `instance`, and keep it until it is unregistered.

        The first registration also removes the nodes of crashed predecessors: other identities
        with this endpoint. Raises RegistrationFailure for an invalid name or facts (see
        `check_registration`), when the server does not answer in time or refuses, and in a forked
        child.
        """
        check_registration(name, instance)
        path = self._path(namespace, name, instance.key)
        try:
            self._refuse_in_child()
            again = path in self._nodes
            self._nodes.put(path, encode(instance))
        except (Away, KazooException) as error:
            raise RegistrationFailure(
                f'cannot register {quoted(name)} in {self._session}: {_say(error)}'
            ) from error
        # Members of a group have no endpoint, so they have no predecessors.
        if not again and namespace != SERIAL:
            self._remove_predecessors(path, instance)

    def unregister(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Delete the node of `instance` now, or when the connection is back.

        An instance that is not registered is ignored, and a forked child does nothing.
        """
        if not self._session.forked:
            self._nodes.remove(self._path(namespace, name, instance.key))

    def watch(self, service: Service, namespace: str) -> None:
        """Fill `service` from its node and keep it up to date until `unwatch`.

        Raises LookupFailure when the server does not answer in time or refuses, and in a forked
        child.
        """
        with self._asking(f'look up {quoted(service.name)}'):
            self._watching.add(service, self._path(namespace, service.name))

    def unwatch(self, service: Service, namespace: str) -> None:
        """Stop changing `service`; one that is not watched is ignored."""
        self._watching.remove(service)

    def refresh(self, service: Service, namespace: str) -> None:
        """Bring a watched service up to date with the leader of the ensemble.

        Raises LookupFailure when the server does not answer in time or refuses, and in a forked
        child.
        """
        with self._asking(f'look up {quoted(service.name)}'):
            self._watching.look(service)

    def _path(self, namespace: str, *names: str) -> str:
        folder = _FOLDERS.get(namespace, escape(namespace))
        return '/'.join((self._root, folder, *map(escape, names)))

    def _name_in(self, folder: str, part: str, stat: Any) -> str | None:
        """Return the name of a service with instances, else None; delete a node without any."""
        path = f'{folder}/{part}'
        try:
            name = name_in(part)
        except ValueError as error:
            self._log.warn(path, f'ignored: {error}')
            return None
        if stat.numChildren:
            return name
        if not stat.dataLength:
            self._session.client.delete_async(path, stat.version)
        return None

    def _remove_predecessors(self, path: str, instance: ServiceInstance) -> None:
        try:
            self._predecessors.remove(path, instance)
        except Away as error:
            logger.info('predecessors at %s stay until their session ends: %s', path, error)

    def _connected(self) -> None:
        self._nodes.doubt_all()
        self._watching.connected()
        self._wake.set()

    def _keep(self) -> None:
        """Bring nodes and watched services up to date with the server after each change."""
        pause: float | None = None
        reminder = Reminder()
        while True:
            self._wake.wait(pause)
            self._wake.clear()
            self._session.wait()
            try:
                self._nodes.settle()
                pause = self._watching.settle()
            except Away as error:
                logger.debug('%s', error)  # the session logs that the server is away
                pause = _PAUSE
            except Exception:  # any error of kazoo: this greenlet has to go on
                if reminder.due(time.monotonic()):
                    logger.exception('cannot settle with %s; trying again', self._session)
                pause = _PAUSE

    def _refuse_in_child(self) -> None:
        if self._session.forked:
            raise Away(made_before_fork('registry'))

    @contextmanager
    def _asking(self, what: str) -> Iterator[None]:
        try:
            self._refuse_in_child()
            yield
        except (Away, KazooException) as error:
            raise LookupFailure(f'cannot {what}: {_say(error)}') from error


def _say(error: Exception) -> str:
    if isinstance(error, Away):
        return str(error)
    parts = (type(error).__name__, str(error), _HINTS.get(type(error), ''))
    return ' '.join(part for part in parts if part)
