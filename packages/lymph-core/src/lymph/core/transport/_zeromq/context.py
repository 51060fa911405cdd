"""libzmq's context: one for all transports of a process, so that ``inproc://`` connects them.

`Socket` is the class of pyzmq's backend, without the Python layers that `zmq.Socket` adds.
"""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import zmq
from zmq import backend

from lymph.core._system.private_parts import as_expected

__all__ = ['Socket', 'shared_context']

_METHODS = ('close', 'connect', 'bind', 'disconnect', 'get', 'monitor', 'recv', 'send', 'set')


def _has_backend() -> bool:
    return issubclass(zmq.Socket, backend.Socket) and all(
        callable(getattr(backend.Socket, method)) for method in _METHODS
    )


if TYPE_CHECKING:
    from zmq.backend import Socket
else:
    Socket = backend.Socket if as_expected('pyzmq', 'backend.Socket', _has_backend) else zmq.Socket

_MAX_SOCKETS = 32768  # an outgoing link needs three: its own, and the two ends of its monitor


def shared_context() -> zmq.Context[zmq.Socket[bytes]]:
    """Return the context of this process; a forked child gets one of its own."""
    return _context_of(os.getpid())


@functools.cache
def _context_of(pid: int) -> zmq.Context[zmq.Socket[bytes]]:
    context = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
    return context
