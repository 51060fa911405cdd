"""ZeroMQ through libzmq: the transport that brings ``ipc://`` and ``inproc://``.

Plain sockets of pyzmq in gevent's loop, never `zmq.green`: every socket has one watcher on its
descriptor and is drained without waiting. libzmq's own thread does the reading, the writing and the
heartbeats; a monitor on each socket tells of connections that come and go.
"""

from __future__ import annotations

from lymph.core.transport._zeromq.transport import ZeromqTransport

__all__ = ['ZeromqTransport']
