"""The transport `zeromq`: libzmq's DEALER and ROUTER sockets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import gevent
import zmq
from greenlet import getcurrent

from lymph.config import ConfigView
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.refusals import Availability
from lymph.core.greenlets import Pool
from lymph.core.transport._zeromq.addresses import check, is_ipv6, refuse_taken, resolve
from lymph.core.transport._zeromq.curve import CurveKeys
from lymph.core.transport._zeromq.dealer import DealerLink
from lymph.core.transport._zeromq.link import StillbornLink
from lymph.core.transport._zeromq.local import LocalDealerLink, LocalListener
from lymph.core.transport._zeromq.router import RouterListener
from lymph.core.transport._zeromq.terms import Terms
from lymph.core.transport._zeromq.weighing import Weighed, Weighing
from lymph.core.transport.base import (
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_UNRESPONSIVE_TIMEOUT,
    Link,
    LinkHandler,
    Listener,
    Transport,
)
from lymph.core.transport.buffers import Buffers
from lymph.core.transport.edge import Edge
from lymph.core.transport.endpoints import join_tcp, split_tcp

__all__ = ['ZeromqTransport']

logger = logging.getLogger(__name__)

_CONNECT_TIMEOUT = 5.0  # seconds for the look-up and the TCP connection


class ZeromqTransport(Transport):
    """A DEALER for each outgoing link, a ROUTER for each listener; times are in seconds."""

    schemes = ('tcp', 'ipc', 'inproc')

    def __init__(
        self,
        max_message_size: int = DEFAULT_MAX_MESSAGE_SIZE,
        unresponsive_timeout: float = DEFAULT_UNRESPONSIVE_TIMEOUT,
        *,
        max_buffered: int | None = None,
        heartbeat_interval: float = 10.0,
        handshake_timeout: float = 10.0,
        connect_timeout: float = _CONNECT_TIMEOUT,
        curve: CurveKeys | None = None,
    ) -> None:
        super().__init__(max_message_size, unresponsive_timeout, max_buffered=max_buffered)
        self._terms = Terms(
            max_message_size,
            unresponsive_timeout,
            heartbeat_interval,
            handshake_timeout,
            connect_timeout,
            curve=curve,
        )
        self._edge = Edge(logger)
        self._buffers = Buffers(self.max_buffered, max_message_size)
        self._weighing = Weighing(self._buffers, self._edge, self._connections)
        self._links: set[DealerLink] = set()
        self._listeners: set[RouterListener] = set()
        self._connecting = Pool()
        self._openers: dict[DealerLink, gevent.Greenlet[..., None]] = {}
        self._availability = Availability('transport', running=True)
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **common: Any) -> ZeromqTransport:
        """Make the transport from an `rpc` section, which may have `curve` keys.

        A `connect_timeout` above the default of 5 s is used here too. Raises ConfigurationError.
        """
        keys = CurveKeys.from_config(config.view('curve')) if 'curve' in config else None
        given = config.get_float('connect_timeout', 0.0)
        if given > _CONNECT_TIMEOUT:
            common |= {'connect_timeout': given}
        return cls(curve=keys, **common)

    @property
    def buffered(self) -> int:
        """Bytes that libzmq held for TCP connections at the last check, up to a second ago."""
        return self._buffers.held

    def address(self, ip: str, port: int) -> str:
        """Return a ``tcp://`` endpoint."""
        return join_tcp(ip, port)

    def listen(self, endpoint: str, handler: LinkHandler) -> Listener:
        """Accept links at an endpoint; see `Transport.listen`."""
        self._availability.check(ValueError)
        scheme = check(endpoint)
        if scheme == 'ipc':
            refuse_taken(endpoint)
        address = endpoint
        if scheme == 'tcp':
            found = resolve(endpoint, self._terms.connect_timeout)
            address = min(found, key=is_ipv6)  # prefer IPv4
        kind = LocalListener if scheme == 'inproc' else RouterListener
        listener = kind(address, handler, self._terms, self._edge, self._listeners.discard)
        if scheme == 'tcp':
            port = split_tcp(listener.endpoint)[1]
            listener.endpoint = join_tcp(split_tcp(endpoint)[0], port)
        self._listeners.add(listener)
        self._weighing.start()
        return listener

    def connect(self, endpoint: str, handler: LinkHandler) -> Link:
        """Begin to connect to an endpoint; see `Transport.connect`."""
        self._availability.check(ValueError)
        scheme = check(endpoint)
        kind = LocalDealerLink if scheme == 'inproc' else DealerLink
        try:
            link = kind(endpoint, handler, self._terms, self._edge, self._forget)
        except zmq.ZMQError as error:  # no free descriptors, or too many sockets for libzmq
            reason = f'connection failed: {error.strerror}'
            return StillbornLink(endpoint, handler, reason, self._edge)
        self._links.add(link)
        self._weighing.start()
        if scheme == 'tcp':
            self._openers[link] = self._connecting.spawn(self._open, link, endpoint)
        else:
            link.open(endpoint)
        return link

    def close(self) -> None:
        """Close all listeners and links."""
        if self._availability.forked:
            return
        self._connecting.kill()
        for listener in list(self._listeners):
            listener.end('this side was closed')
        for link in list(self._links):
            link.close('this side was closed')
        self._weighing.stop()
        self._buffers.close()
        self._edge.close()

    def abandon(self) -> None:
        """In a forked child, stop using all sockets and refuse further use."""
        self._availability.abandon()
        self._weighing.stop()
        self._buffers.close()
        for listener in self._listeners:
            listener.abandon()
        for link in self._links:
            link.abandon()

    def _open(self, link: DealerLink, endpoint: str) -> None:
        link.stage = f'the address of {split_tcp(endpoint)[0]}'
        try:
            addresses = resolve(endpoint, self._terms.connect_timeout)
        except OSError as error:
            link.lost(f'connection failed: {error.strerror or error}')
        else:
            link.open(*addresses)
        finally:
            self._openers.pop(link, None)

    def _forget(self, link: DealerLink) -> None:
        self._links.discard(link)
        opener = self._openers.pop(link, None)
        if opener is not None and opener is not getcurrent():
            opener.kill(block=False)

    def _connections(self) -> Iterator[Weighed]:
        for listener in self._listeners:
            yield from listener.weighed
        for link in self._links:
            yield link.weighed
