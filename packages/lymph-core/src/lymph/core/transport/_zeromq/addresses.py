"""Endpoints in the form that libzmq accepts."""

from __future__ import annotations

import errno
import os
import socket

from gevent.monkey import get_original

from lymph.core._system.resolving import resolver
from lymph.core.addresses import numeric
from lymph.core.transport.endpoints import join_tcp, scheme_of, split_tcp

__all__ = ['check', 'is_ipv6', 'refuse_taken', 'resolve']

_Socket: type[socket.socket] = get_original('socket', 'socket')
_PATHS = ('ipc', 'inproc')


def check(endpoint: str) -> str:
    """Return the scheme of an endpoint; raises ValueError unless it is tcp, ipc or inproc."""
    scheme = scheme_of(endpoint)
    if scheme in _PATHS and len(endpoint) > len(f'{scheme}://'):
        return scheme
    if scheme in _PATHS:
        raise ValueError(f'expected an endpoint like {scheme}://a/path, found {endpoint!r}')
    split_tcp(endpoint)
    return 'tcp'


def resolve(endpoint: str, timeout: float) -> list[str]:
    """Return the numeric endpoints of a ``tcp://`` endpoint, in the order in which to try them.

    libzmq would look up names in its only thread, and would not report failures. Raises OSError if
    the host is not found within `timeout` seconds.
    """
    host, port = split_tcp(endpoint)
    if numeric(host) is not None:
        return [endpoint]  # unchanged, which keeps the scope of an IPv6 address
    found = resolver().addresses(host, port, timeout)
    return [join_tcp(str(address[0]), port) for _, address in found]


def is_ipv6(endpoint: str) -> bool:
    """Tell whether libzmq needs its option IPV6.

    It is not always set, because with it the addresses of IPv4 peers are IPv4-mapped ones.
    """
    return endpoint.startswith('tcp://[')


def refuse_taken(endpoint: str) -> None:
    """Raise OSError if a process listens at an ``ipc://`` endpoint.

    Without this check libzmq would remove the socket file of the other listener and replace it.
    """
    path = endpoint.removeprefix('ipc://')
    with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except BlockingIOError:
            pass  # there is a listener, and its backlog is full
        except OSError:
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), endpoint)
