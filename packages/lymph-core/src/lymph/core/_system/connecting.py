"""TCP connections to a host name or IP address, with one timeout that includes the look-up."""

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
    """Return a gevent socket that is connected to `address`, a host and a port.

    The addresses of the host are tried in turn; each gets an equal share of the time that is left
    of `timeout` seconds. Raises OSError, with a `strerror`, if none can be connected to in time.
    """
    end = time.monotonic() + timeout
    addresses = resolver().addresses(*address, timeout)
    failure: OSError = OSError(errno.EADDRNOTAVAIL, 'the host has no address')
    for number, (family, where) in enumerate(addresses):
        share = (end - time.monotonic()) / (len(addresses) - number)
        sock = gevent_socket(family, socket.SOCK_STREAM)
        limit = gevent.Timeout(max(0.001, share))  # compared below: callers have timeouts too
        try:
            with limit:
                sock.connect(where)
        except BaseException as error:
            sock.close()
            if error is limit:
                failure = OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            elif isinstance(error, OSError) and error.errno is not None:  # of a system call
                failure = error
            else:
                raise
        else:
            return sock
    raise failure
