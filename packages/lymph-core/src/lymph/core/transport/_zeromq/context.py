"""libzmq's context: one for all transports of a process, so that ``inproc://`` joins them."""

from __future__ import annotations

import functools
import os

import zmq

__all__ = ['shared_context']

_MAX_SOCKETS = 32768  # each link out takes three: itself, and the two ends of its monitor


def shared_context() -> zmq.Context[zmq.Socket[bytes]]:
    """Return the context of this process; a forked child gets one of its own."""
    return _context_of(os.getpid())


@functools.cache
def _context_of(pid: int) -> zmq.Context[zmq.Socket[bytes]]:
    context = zmq.Context(io_threads=1)
    context.set(zmq.MAX_SOCKETS, _MAX_SOCKETS)
    return context
