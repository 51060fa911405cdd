"""TCP connections to a host by name or number, made within a time that covers the look-up too."""

from __future__ import annotations

import errno
import os
import socket
import time

import gevent
from gevent.socket import socket as gevent_socket

from lymph.core._system.resolving import resolver

__all__ = ['create_connection']


def create_connection(address: tuple[str, int], timeout: float) -> gevent_socket:
    """Return a socket of gevent that is connected to a host and a port.

    The addresses of a host are tried in turn; each has an equal share of what is left of `timeout`
    seconds. Raises OSError, with a `strerror`, when there is no connection by then.
    """
    end = time.monotonic() + timeout
    addresses = resolver().addresses(*address, timeout)
    failure: OSError = OSError(errno.EADDRNOTAVAIL, 'the host has no address')
    for number, (family, where) in enumerate(addresses):
        share = (end - time.monotonic()) / (len(addresses) - number)
        sock = gevent_socket(family, socket.SOCK_STREAM)
        limit = gevent.Timeout(max(0.001, share))  # its own class: callers have timeouts, too
        try:
            with limit:
                sock.connect(where)
        except BaseException as error:
            sock.close()
            if error is limit:
                failure = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            elif isinstance(error, OSError) and error.errno is not None:  # from the system
                failure = error
            else:
                raise
        else:
            return sock
    raise failure
