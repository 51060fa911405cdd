"""Closing a listening socket whose port other sockets share (SO_REUSEPORT), without a reset.

The kernel gives each new connection to one of the sockets, by a hash of its addresses, when its
first packet (SYN) arrives. When a socket closes, it resets the connections that wait in its queue,
and those whose handshake is under way: their clients see an open connection that breaks. So:

1. A filter on the socket drops each further SYN. The client's kernel repeats it after one second;
   by then the socket is gone, and another one of the port gets it.
2. Handshakes that are under way have `HANDSHAKE` seconds to end. Their connections are accepted.
3. The queue is accepted until it is empty, and the socket is closed.

The filter needs no privileges and goes with the socket, however the process ends. Without it
(another system than Linux), a connection that arrives just then may be reset. The alternative
`net.ipv4.tcp_migrate_req` moves connections to other sockets without the second of delay, but only
an administrator can set it, for all programs.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import sys
from typing import Final

__all__ = ['HANDSHAKE', 'begin_no_more']

#: Seconds for which handshakes may be under way: a round trip to a distant client.
HANDSHAKE: Final = 0.2
_SO_ATTACH_FILTER = 26  # asm-generic/socket.h

# classic BPF: (code, jump if true, jump if false, value); see linux/filter.h
_PROGRAM = (
    (0x30, 0, 0, 13),  # load a byte: the flags of the TCP header
    (0x54, 0, 0, 0x12),  # keep SYN and ACK
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # yes: drop the packet
    (0x06, 0, 0, 0xFFFFFFFF),  # no: keep all of it
)


def begin_no_more(sock: socket.socket) -> bool:
    """Drop packets that begin a connection to a listening TCP socket; tell whether that works."""
    if sys.platform != 'linux':
        return False
    program = b''.join(struct.pack('=HBBI', *each) for each in _PROGRAM)
    code = ctypes.create_string_buffer(program, len(program))
    try:
        # struct sock_fprog: the number of instructions, and where they are
        sock.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack('@HP', len(_PROGRAM), ctypes.addressof(code)),
        )
    except OSError:  # forbidden, for example by a sandbox
        return False
    return True
