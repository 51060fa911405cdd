"""Closing a listening socket whose port other sockets share (SO_REUSEPORT), without a reset.

The kernel gives each new connection to one of the sockets, by a hash of its addresses, when its
first packet (SYN) arrives. When a socket closes, it resets the connections that wait in its queue,
and those whose handshake is under way: their clients see an open connection that breaks. So:

1. `begin_no_more` lets the socket drop each further SYN. The client's kernel repeats it after one
   second; by then the socket is gone, and another one of the port gets it.
2. `await_handshakes` waits until the handshakes that are under way have ended, which the kernel
   tells: mostly some milliseconds, so that few clients have to begin again.
3. The queue is accepted until it is empty, and the socket is closed.

What drops a SYN is a minimum for the TTL of packets (IP_MINTTL, RFC 5082) that no usual client
reaches. It needs no privileges, other than a filter in BPF (of TCP sockets, since Linux 6.18), it
does not apply to handshakes under way, and it goes with the socket, however the process ends.
Connections inherit it: `accept_all_again` takes it away, and what a client has sent before that is
sent again by its kernel. The alternative `net.ipv4.tcp_migrate_req` moves connections to other
sockets, but only an administrator can set it, for all programs.
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Final

import gevent
from gevent.monkey import get_original

from lymph.core._system.blocking import in_thread

__all__ = ['LONGEST', 'accept_all_again', 'await_handshakes', 'begin_no_more', 'under_way']

#: Seconds that handshakes which are under way may take.
LONGEST: Final = 1.0
_UNKNOWN = 0.2  # seconds, if the kernel does not tell which there are
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05  # seconds
_HIGHEST = 255  # clients send packets with 64 or 128, of which each router takes one
# linux/in.h and linux/in6.h
_IP_MINTTL, _IPV6_MINHOPCOUNT = 21, 73
# linux/netlink.h, linux/sock_diag.h and linux/inet_diag.h
_NETLINK, _SOCK_DIAG, _BY_FAMILY = 16, 4, 20
_DUMP, _DONE, _ERROR = 0x301, 3, 2
_SYN_RECV = 1 << 3  # a state of TCP
_HEADER = struct.Struct('=IHHII')  # length, type, flags, sequence number, port
_ANSWER = 64 * 1024  # bytes

_Socket: type[socket.socket] = get_original('socket', 'socket')


def begin_no_more(sock: socket.socket) -> bool:
    """Drop packets that begin a connection to a listening TCP socket; tell whether that works."""
    return _set_minimum(sock, _HIGHEST)


def accept_all_again(sock: socket.socket) -> None:
    """Let packets through to a connection that was accepted after `begin_no_more`."""
    _set_minimum(sock, 0)


def await_handshakes(port: int, longest: float = LONGEST) -> None:
    """Wait until the handshakes with clients of a port that are under way now have ended."""
    deadline, pause = time.monotonic() + longest, _FIRST_PAUSE
    gevent.sleep(pause)  # for packets that the kernel is handling at this moment
    begun = in_thread(under_way, port)
    if begun is None:
        gevent.sleep(_UNKNOWN)
    while begun and time.monotonic() < deadline:
        gevent.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
        now = in_thread(under_way, port)
        begun = now and begun & now  # later ones are those of other sockets


def under_way(port: int) -> frozenset[bytes] | None:
    """Return the clients of a port whose handshake has not ended; None if that is unknown.

    Blocks. The clients are their ports and addresses as the kernel writes them.
    """
    try:
        with _Socket(_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as sock:
            sock.settimeout(_UNKNOWN)
            families = (socket.AF_INET, socket.AF_INET6)
            return frozenset(client for each in families for client in _ask(sock, each, port))
    except OSError:
        return None  # forbidden, for example by a sandbox, or another system than Linux


def _ask(sock: socket.socket, family: int, port: int) -> list[bytes]:
    # struct inet_diag_req_v2: family, protocol, extensions, states, and the addresses: only the
    # local port, any others
    asked = struct.pack('=BBBxI', family, socket.IPPROTO_TCP, 0, _SYN_RECV)
    asked += struct.pack('!H', port) + bytes(2 + 16 + 16 + 4) + b'\xff' * 8
    sock.send(_HEADER.pack(_HEADER.size + len(asked), _BY_FAMILY, _DUMP, 1, 0) + asked)
    found: list[bytes] = []
    while True:
        data, at = sock.recv(_ANSWER), 0
        while at + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, at)
            if kind == _DONE:
                return found
            if kind == _ERROR or length < _HEADER.size:
                raise OSError('the kernel does not tell')
            # struct inet_diag_msg: four bytes, local port, remote port, local and remote address
            start = at + _HEADER.size + 4
            found.append(data[start + 2 : start + 4] + data[start + 20 : start + 36])
            at += length + 3 & ~3


def _set_minimum(sock: socket.socket, ttl: int) -> bool:
    try:
        sock.setsockopt(socket.IPPROTO_IP, _IP_MINTTL, ttl)  # also of IPv4 at a socket for both
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MINHOPCOUNT, ttl)
    except OSError:
        return False
    return True
