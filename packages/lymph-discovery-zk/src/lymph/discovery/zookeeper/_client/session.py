"""A connection to ZooKeeper that is restored after a loss, with a timeout for every request.

The listener of state changes never waits, because kazoo calls it in the greenlet that serves the
connection.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import Semaphore
from kazoo.client import KazooClient
from kazoo.exceptions import (
    AuthFailedError,
    ConnectionClosedError,
    ConnectionLoss,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
)
from kazoo.protocol.states import KazooState, KeeperState

from lymph.core._system.connecting import create_connection
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.private_parts import as_expected, assigns
from lymph.core._system.refusals import made_before_fork
from lymph.core.addresses import join_address
from lymph.core.monitoring.connection_states import ConnectionState, ConnectionTracker
from lymph.core.monitoring.log_limits import REMIND, Reminder
from lymph.discovery.zookeeper._client.severing import peer_of, prepare, sever

__all__ = ['Away', 'ZookeeperSession']

logger = logging.getLogger(__name__)

_GONE = (
    ConnectionClosedError,
    ConnectionLoss,
    OperationTimeoutError,
    SessionExpiredError,
    SessionMovedError,
)
_SHOWS_TIMEOUT = as_expected(
    'kazoo',
    'KazooClient._session_timeout',
    lambda: assigns(KazooClient.__init__, '_session_timeout'),
)
_DEFAULT_TIMEOUT = 10.0  # seconds: kazoo's default for `timeout`
_REFUSED = 'it refuses the auth of zkclient'
_FAREWELL = 2.0  # seconds to wait for the end of a session


class Away(Exception):
    """ZooKeeper does not answer now; a request that was sent may have been executed."""


class ZookeeperSession:
    """Wraps `client`, a kazoo client.

    `timeout` is the number of seconds to wait for one answer, and for a connection.
    `on_connected()` is called for each new connection and must not wait.
    """

    def __init__(self, client: Any, timeout: float, on_connected: Callable[[], object]) -> None:
        self.client = client
        self.timeout = timeout
        self.forked = False
        self._on_connected = on_connected
        self._connected = Event()
        self.lapsed = False  # before this connection, sessions of others may have ended too
        self._left: float | None = None
        self._last_id: int | None = None
        self._started = False
        self._lost = Event()
        # A server that refuses the auth of a client closes the connection, and kazoo reconnects,
        # so kazoo's state shows the refusal only briefly. This flag stays until the next answer.
        self._refused = False
        self._restarting = Semaphore()
        self._supervisor: gevent.Greenlet[..., Any] | None = None
        self._tracker = ConnectionTracker(self._hosts)
        self._reminder = Reminder()
        self._told = False  # whether a warning about the missing connection was logged
        prepare(client)
        abandon_in_children(self)

    def __str__(self) -> str:
        return f'ZooKeeper at {self._hosts}'

    @property
    def _hosts(self) -> str:
        return ','.join(join_address(host, port) for host, port in self.client.hosts)

    @property
    def state(self) -> ConnectionState:
        """Whether there is a connection, and the server; all servers if kazoo does not tell."""
        return self._tracker.state

    @property
    def connected(self) -> bool:
        """Whether requests can be sent now."""
        return self._connected.is_set()

    @property
    def id(self) -> int:
        """The number of this session, which ZooKeeper stores as the owner of ephemeral nodes.

        Raises Away if there is no session, AuthFailedError if the server refuses the client's auth.
        """
        client_id = self.client.client_id
        if client_id is None:
            self._expect_login()
            raise Away(f'no connection to {self}')
        number: int = client_id[0]
        return number

    @property
    def lifetime(self) -> float:
        """The number of seconds without a connection after which the server ends the session.

        This is the timeout that the client requests, or kazoo's default of 10 s if a version of
        kazoo does not keep it where expected.
        """
        if not _SHOWS_TIMEOUT:
            return _DEFAULT_TIMEOUT
        milliseconds: int = self.client._session_timeout  # noqa: SLF001 - kazoo shows it nowhere
        return milliseconds / 1000

    def start(self) -> None:
        """Connect, unless the client is connected.

        Raises Away when there is no connection within `timeout` seconds, for example because the
        server refuses the client's auth, and when the path in the client's hosts does not exist.
        Reading that path raises what `answer` raises.
        """
        self.client.add_listener(self._state_changed)
        if self.client.connected:
            self._state_changed(KazooState.CONNECTED)
        else:
            self._connect()
        prefix = self.client.chroot
        if prefix and self.answer(self.client.exists_async('/')) is None:
            self.stop()
            raise Away(f'{prefix!r}, the prefix in the hosts of {self}, does not exist; create it')

    def stop(self, farewell: float = _FAREWELL) -> None:
        """End the session if `start` began it; wait up to `farewell` seconds (2.0) for the server.

        The session of a client that was already connected goes on.
        """
        self.client.remove_listener(self._state_changed)
        self._connected.clear()
        self._tracker.down('stopped')
        if self._started and not self.forked:
            self._started = False
            gevent.spawn(self._end).join(farewell)

    def wait(self, timeout: float | None = None) -> None:
        """Wait up to `timeout` seconds for a connection, or without limit if it is None.

        Raises Away when there is none in time, AuthFailedError if the server refuses the client's
        auth.
        """
        if not self._connected.wait(timeout):
            self._expect_login()
            raise Away(f'no connection to {self}')

    def answer(self, pending: Any) -> Any:
        """Wait for the result of `pending`, one of kazoo's asynchronous calls, and return it.

        Raises Away when no answer comes within `timeout` seconds or the connection is lost,
        AuthFailedError if the server refuses the client's auth, and otherwise the KazooException
        with which the server answers.
        """
        pending.wait(self.timeout)
        if not pending.ready():
            self._expect_login()
            raise Away(f'no answer from {self} within {self.timeout:g} s')
        try:
            result = pending.get_nowait()
        except _GONE as error:
            self._expect_login()
            raise Away(f'no answer from {self}: {type(error).__name__}') from error
        self._refused = False
        return result

    def abandon(self) -> None:
        """Stop using the connection in a forked child, so that the parent keeps its session."""
        self.forked = True
        self._started = False
        self._connected.clear()
        self._tracker.down(made_before_fork('registry'))
        sever(self.client)

    def _expect_login(self) -> None:
        if self._refused:
            raise AuthFailedError

    def _connect(self) -> None:
        self._started = True
        deadline = time.monotonic() + self.timeout
        self.client.start_async()
        if not self._connected.wait(0.9 * self.timeout):
            cause = _REFUSED if self._refused else self._cause(deadline)
            self.stop(farewell=0)
            raise Away(f'no answer from {self} within {self.timeout:g} s ({cause}); start it')
        self._supervisor = gevent.spawn(self._supervise)

    def _supervise(self) -> None:
        """Start a new session when the old one cannot be resumed.

        A server that lost its data refuses clients that have seen later transactions than it has,
        and kazoo may give up. After twice its lifetime a session has certainly expired, so giving
        it up loses nothing.
        """
        while True:
            self._lost.wait()
            dead = time.monotonic() + 2 * self.lifetime
            while not self._connected.wait(max(0, min(dead - time.monotonic(), REMIND))):
                self._warn('no connection to %s; trying again')
                if time.monotonic() >= dead:
                    self._begin_anew()
                    dead = time.monotonic() + 2 * self.lifetime

    def _begin_anew(self) -> None:
        with self._restarting:
            if self._started and not self.connected:
                self.client.stop()
                self.client.start_async()

    def _warn(self, text: str) -> None:
        """Log that there is no connection, at most once a minute, however often it is lost."""
        if self._reminder.due(time.monotonic()):
            self._told = True
            logger.warning(text, self)

    def _end(self) -> None:
        with self._restarting:
            if self._supervisor is not None:
                self._supervisor.kill()
            self.client.stop()
            self.client.close()

    def _state_changed(self, state: str) -> None:
        if self.forked:
            return
        if state == KazooState.CONNECTED:
            if self._told:
                self._told = False
                logger.warning('connected to %s again', self)
            self.lapsed = self._has_lapsed()
            self._lost.clear()
            self._connected.set()
            self._tracker.up(peer_of(self.client) or self._hosts)
            self._on_connected()
            return
        if self.client.client_state == KeeperState.AUTH_FAILED:
            self._refused = True
        self._tracker.down(self._reason(state))
        if self._connected.is_set():
            self._left = time.monotonic()
            self._connected.clear()
            if not self._refused:  # a refused auth is raised as an error instead
                self._warn('lost the connection to %s; trying to connect again')
        self._lost.set()

    def _reason(self, state: str) -> str:
        if self._refused:
            return _REFUSED
        return 'the session has ended' if state == KazooState.LOST else 'the connection was lost'

    def _has_lapsed(self) -> bool:
        left, self._left = self._left, None
        last_id, self._last_id = self._last_id, self.id
        if left is None or last_id is None:
            return False  # the first connection
        return last_id != self._last_id or time.monotonic() - left >= self.lifetime

    def _cause(self, deadline: float) -> str:
        """Return why the server does not answer.

        kazoo only logs the reason, so this opens a connection of its own to find it.
        """
        host, port = self.client.hosts[0]
        where = join_address(host, port)
        how = ' over TLS as configured' if self.client.use_ssl else ''
        try:
            remaining = max(0.1, deadline - time.monotonic())
            self._open_and_close(host, port, remaining)
        except OSError as error:
            return f'{where}{how}: {error.strerror or error}'
        except Exception as error:  # noqa: BLE001 - kazoo's timeouts, and what its options may cause
            return f'{where}{how}: {type(error).__name__} {error}'.strip()
        return f'{where} accepts connections, but does not serve as a ZooKeeper{how}'

    def _open_and_close(self, host: str, port: int, timeout: float) -> None:
        client = self.client
        with closing(create_connection((host, port), timeout)) as connection:
            ip = connection.getpeername()[0]
        if not client.use_ssl:
            return
        client.handler.create_connection(
            address=(ip, port),
            hostname=host,
            timeout=timeout,
            use_ssl=True,
            keyfile=client.keyfile,
            certfile=client.certfile,
            ca=client.ca,
            keyfile_password=client.keyfile_password,
            verify_certs=client.verify_certs,
            check_hostname=client.check_hostname,
        ).close()
