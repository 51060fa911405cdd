"""Endpoints as libzmq takes them, and where they may be."""

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
    """Return the scheme of an endpoint; raises ValueError for none of ours."""
    scheme = scheme_of(endpoint)
    if scheme in _PATHS and len(endpoint) > len(f'{scheme}://'):
        return scheme
    if scheme in _PATHS:
        raise ValueError(f'expected an endpoint like {scheme}://a/path, found {endpoint!r}')
    split_tcp(endpoint)
    return 'tcp'


def resolve(endpoint: str, timeout: float) -> list[str]:
    """Return where a ``tcp://`` endpoint is, with numeric hosts, in the order in which to try.

    libzmq would ask a name server in its only thread, and never tell that it failed. Raises
    OSError, also when there is no answer within `timeout` seconds.
    """
    host, port = split_tcp(endpoint)
    if numeric(host) is not None:
        return [endpoint]  # with its scope, if it has one
    found = resolver().addresses(host, port, timeout)
    return [join_tcp(str(address[0]), port) for _, address in found]


def is_ipv6(endpoint: str) -> bool:
    """Tell whether libzmq needs its IPv6 option, with which IPv4 peers have strange addresses."""
    return endpoint.startswith('tcp://[')


def refuse_taken(endpoint: str) -> None:
    """Raise OSError when somebody listens at an ``ipc://`` endpoint.

    libzmq removes the socket file of another listener and takes its place.
    """
    path = endpoint.removeprefix('ipc://')
    with _Socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.setblocking(False)
        try:
            sock.connect(path)
        except BlockingIOError:
            pass  # it listens, and has a full backlog
        except OSError:
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), endpoint)
