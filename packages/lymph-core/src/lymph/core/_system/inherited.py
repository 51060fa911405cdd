"""Listening sockets that this process has inherited from a node or from systemd.

The protocol is that of systemd's socket activation, sd_listen_fds(3):

=================  ==========================================================================
LISTEN_FDS         the number of sockets; their descriptors are 3, 4, 5, ...
LISTEN_PID         the process they are for; children have another id, and ignore them
LISTEN_FDNAMES     their names, separated by colons
=================  ==========================================================================

Code that listens at the address of an inherited socket gets a duplicate of it. The socket itself
stays open until the process ends, so a program that replaces this one (exec) finds it again.

Other processes may accept connections from the same socket, and the process that made it keeps it
open: connections that were not accepted wait until some process accepts them.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from typing import NamedTuple
from weakref import WeakValueDictionary

from gevent.monkey import get_original

from lymph.config.printable import printable
from lymph.core._system.resolving import resolver
from lymph.core.addresses import is_wildcard, join_address, numeric
from lymph.exceptions import LymphError

__all__ = [
    'BACKLOG',
    'FIRST_DESCRIPTOR',
    'Inherited',
    'SocketMismatch',
    'adopt',
    'adopt_file',
    'inherited_sockets',
    'keep_open',
    'misdirected',
    'read_environment',
    'unused_sockets',
]

#: Connections that may wait until they are accepted; Linux allows at most 4096.
BACKLOG = 1024
FIRST_DESCRIPTOR = 3
_MOST = 1024  # sockets; the usual limit of open descriptors
_LOOK_UP = 5.0  # seconds to look up a host name

_Socket: type[socket.socket] = get_original('socket', 'socket')


class SocketMismatch(LymphError, OSError):
    """The inherited socket for a port is bound to another address than the requested one."""


class Inherited(NamedTuple):
    """An inherited socket, and the address that it is bound to.

    The host of a unix socket is its path, its port is 0.
    """

    descriptor: int
    name: str
    host: str
    port: int

    def __str__(self) -> str:
        path = f'unix:{printable(self.host, 200)}'
        address = join_address(self.host, self.port) if self.port else path
        return f'{self.name} ({address})' if self.name else address


def read_environment(environ: Mapping[str, str], pid: int) -> list[tuple[int, str]]:
    """Return the descriptors that `environ` passes to the process `pid`, with their names.

    The name is empty for a socket without one. Invalid variables count as no sockets.
    """
    count = environ.get('LISTEN_FDS', '')
    if environ.get('LISTEN_PID') != str(pid) or not (count.isascii() and count.isdecimal()):
        return []
    names = environ.get('LISTEN_FDNAMES', '').split(':')
    number = min(int(count[:9]), _MOST)
    names += [''] * (number - len(names))
    return [(FIRST_DESCRIPTOR + place, name) for place, name in enumerate(names[:number])]


def inherited_sockets() -> list[Inherited]:
    """Return the TCP and unix stream sockets that this process has inherited.

    From now on, programs that it starts do not inherit them. Call `keep_open` before replacing this
    program.
    """
    found = []
    for descriptor, name in read_environment(os.environ, os.getpid()):
        try:
            os.set_inheritable(descriptor, False)
            sock = _duplicate(descriptor)
        except OSError:
            continue  # the descriptor is not open, or not a socket
        with sock:
            if sock.type != socket.SOCK_STREAM:
                continue
            if sock.family in (socket.AF_INET, socket.AF_INET6):
                host, port = sock.getsockname()[:2]
                found.append(Inherited(descriptor, name, host, port))
            elif sock.family == socket.AF_UNIX:
                found.append(Inherited(descriptor, name, _path(sock.getsockname()), 0))
    return found


def keep_open() -> None:
    """Pass the inherited sockets on to the program that replaces this one (exec)."""
    for each in inherited_sockets():
        os.set_inheritable(each.descriptor, True)


def adopt(host: str, port: int) -> socket.socket | None:
    """Return a duplicate of the inherited socket for a host and a port, None if there is none.

    It is a non-blocking socket of the standard library, it listens, and the caller has to close it.
    Raises SocketMismatch if a listening inherited socket has the port but another address, OSError
    if this process uses the socket already or cannot listen at it, socket.gaierror if the host name
    cannot be looked up.
    """
    found = [each for each in inherited_sockets() if each.port == port] if port else []
    if not found:
        return None
    wanted = {str(address[0]) for _, address in resolver().addresses(host, port, _LOOK_UP)}
    for each in found:
        if any(_covers(each, ip) for ip in wanted):
            return _take(each)
    for each in found:
        if _listens(each.descriptor):  # otherwise another socket can be bound to the port
            bound = join_address(each.host, port)
            text = f'the socket for it that this process was started with is at {bound}'
            raise SocketMismatch(errno.EADDRNOTAVAIL, text)
    return None


def adopt_file(path: str) -> socket.socket | None:
    """Return a duplicate of the inherited unix socket for a path, None if there is none.

    It is as that of `adopt`. Raises OSError if this process uses the socket already.
    """
    found = (each for each in inherited_sockets() if not each.port and each.host == path)
    each = next(found, None)
    return None if each is None else _take(each)


def unused_sockets() -> list[Inherited]:
    """Return the inherited sockets that listen but are not used: clients would wait in vain."""
    return [
        each for each in inherited_sockets() if not _is_in_use(each) and _listens(each.descriptor)
    ]


def misdirected() -> str:
    """Return a hint if the environment has sockets for another process; empty text if not."""
    pid = os.environ.get('LISTEN_PID', '')
    if not os.environ.get('LISTEN_FDS') or pid == str(os.getpid()):
        return ''
    return (
        f'the sockets in LISTEN_FDS are for process {pid[:20]}, and this is {os.getpid()}: '
        'start it with exec if a script does'
    )


# descriptor -> the duplicate in use. One table for the process, like its descriptors.
_adopted: WeakValueDictionary[int, socket.socket] = WeakValueDictionary()


def _path(name: str | bytes) -> str:
    return os.fsdecode(name)  # abstract names are bytes, with a zero first


def _take(each: Inherited) -> socket.socket:
    if _is_in_use(each):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    sock = _duplicate(each.descriptor)
    try:
        sock.setblocking(False)
        if not _listens(sock.fileno()):  # otherwise keep the backlog that it was made with
            sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    _adopted[each.descriptor] = sock
    return sock


def _is_in_use(each: Inherited) -> bool:
    sock = _adopted.get(each.descriptor)
    return sock is not None and sock.fileno() >= 0


def _duplicate(descriptor: int) -> socket.socket:
    duplicate = os.dup(descriptor)
    try:
        return _Socket(fileno=duplicate)
    except OSError:
        os.close(duplicate)
        raise


def _listens(descriptor: int) -> bool:
    with _duplicate(descriptor) as sock:
        return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _covers(each: Inherited, ip: str) -> bool:
    """Tell whether a socket covers the same addresses as one that is bound to `ip`."""
    if numeric(each.host) == numeric(ip):
        return True
    # systemd's `ListenStream=8080` is one socket for all addresses of both families
    both = is_wildcard(each.host) and ':' in each.host and not _v6_only(each.descriptor)
    return both and is_wildcard(ip)


def _v6_only(descriptor: int) -> bool:
    with _duplicate(descriptor) as sock:
        return bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
