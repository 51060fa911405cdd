"""Listening sockets that this process was started with, by a node or by systemd.

The protocol is that of systemd's socket activation, sd_listen_fds(3):

=================  ==========================================================================
LISTEN_FDS         how many sockets there are; their descriptors are 3, 4, 5, ...
LISTEN_PID         the process they are for; it is another's in children, which ignore them
LISTEN_FDNAMES     their names, with colons between them
=================  ==========================================================================

Whoever listens at the address of an inherited socket uses a duplicate of it. The socket itself
stays open until the process ends, so a program that replaces this one finds it again.

Other processes may accept connections from the same socket, and whoever made it keeps it open:
connections that nobody has accepted yet wait for the next one who does.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from typing import NamedTuple
from weakref import WeakValueDictionary

from gevent.monkey import get_original

from lymph.core._system.resolving import resolver
from lymph.core.addresses import is_wildcard, join_address, numeric
from lymph.exceptions import LymphError

__all__ = [
    'BACKLOG',
    'FIRST_DESCRIPTOR',
    'Inherited',
    'SocketMismatch',
    'adopt',
    'inherited_sockets',
    'keep_open',
    'misdirected',
    'read_environment',
    'unused_sockets',
]

#: Connections that may wait to be accepted while no process listens; Linux allows 4096 at most.
BACKLOG = 1024
FIRST_DESCRIPTOR = 3
_MOST = 1024  # sockets: as many descriptors as a process usually has
_LOOK_UP = 5.0  # seconds

_Socket: type[socket.socket] = get_original('socket', 'socket')


class SocketMismatch(LymphError, OSError):
    """The inherited socket for a port listens at another host than was asked for."""


class Inherited(NamedTuple):
    """A TCP socket that this process was started with, and where it is bound."""

    descriptor: int
    name: str
    host: str
    port: int

    def __str__(self) -> str:
        address = join_address(self.host, self.port)
        return f'{self.name} ({address})' if self.name else address


def read_environment(environ: Mapping[str, str], pid: int) -> list[tuple[int, str]]:
    """Return the descriptors that `environ` announces to the process `pid`, with their names.

    A name is empty where there is none. What cannot be read announces nothing.
    """
    count = environ.get('LISTEN_FDS', '')
    if environ.get('LISTEN_PID') != str(pid) or not (count.isascii() and count.isdecimal()):
        return []
    names = environ.get('LISTEN_FDNAMES', '').split(':')
    number = min(int(count[:9]), _MOST)
    names += [''] * (number - len(names))
    return [(FIRST_DESCRIPTOR + place, name) for place, name in enumerate(names[:number])]


def inherited_sockets() -> list[Inherited]:
    """Return the TCP sockets that this process was started with.

    From now on programs that it starts do not inherit them, unless they replace it (`keep_open`).
    """
    found = []
    for descriptor, name in read_environment(os.environ, os.getpid()):
        try:
            os.set_inheritable(descriptor, False)
            sock = _duplicate(descriptor)
        except OSError:
            continue  # it is not open, or no socket
        with sock:
            if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
                host, port = sock.getsockname()[:2]
                found.append(Inherited(descriptor, name, host, port))
    return found


def keep_open() -> None:
    """Leave the inherited sockets to the program that replaces this one."""
    for each in inherited_sockets():
        os.set_inheritable(each.descriptor, True)


def adopt(host: str, port: int) -> socket.socket | None:
    """Return the inherited socket for a port, None if there is none.

    It listens, is plain and non-blocking, and is the caller's to close. Raises SocketMismatch if it
    listens at another host, OSError if something in this process listens at it already or it
    cannot be listened at, and what looking up a host name raises.
    """
    found = [each for each in inherited_sockets() if each.port == port] if port else []
    if not found:
        return None
    wanted = {str(address[0]) for _, address in resolver().addresses(host, port, _LOOK_UP)}
    for each in found:
        if any(_covers(each, ip) for ip in wanted):
            return _take(each)
    for each in found:
        if _listens(each.descriptor):  # else it is in nobody's way
            bound = join_address(each.host, port)
            text = f'the socket for it that this process was started with is at {bound}'
            raise SocketMismatch(errno.EADDRNOTAVAIL, text)
    return None


def unused_sockets() -> list[Inherited]:
    """Return the inherited sockets at which clients wait in vain: nobody here accepts them."""
    return [
        each for each in inherited_sockets() if not _is_in_use(each) and _listens(each.descriptor)
    ]


def misdirected() -> str:
    """Return a hint if sockets were meant for another process than this one, else nothing."""
    pid = os.environ.get('LISTEN_PID', '')
    if not os.environ.get('LISTEN_FDS') or pid == str(os.getpid()):
        return ''
    return (
        f'the sockets in LISTEN_FDS are for process {pid[:20]}, and this is {os.getpid()}: '
        'start it with exec if a script does'
    )


# What this process listens at. One table for the process, as there is one set of descriptors.
_adopted: WeakValueDictionary[int, socket.socket] = WeakValueDictionary()


def _take(each: Inherited) -> socket.socket:
    if _is_in_use(each):
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    sock = _duplicate(each.descriptor)
    try:
        sock.setblocking(False)
        if not _listens(sock.fileno()):  # else its backlog is what its maker has chosen
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
    """Tell whether a socket listens where one that is bound to `ip` would."""
    if numeric(each.host) == numeric(ip):
        return True
    # systemd's `ListenStream=8080` is one socket for all addresses of both families
    both = is_wildcard(each.host) and ':' in each.host and not _v6_only(each.descriptor)
    return both and is_wildcard(ip)


def _v6_only(descriptor: int) -> bool:
    with _duplicate(descriptor) as sock:
        return bool(sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY))
