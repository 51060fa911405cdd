"""ZeroMQ through libzmq: the transport that also supports ``ipc://`` and ``inproc://``.

It uses plain sockets of pyzmq in gevent's loop, not `zmq.green`: every socket has one watcher on
its descriptor and is drained without waiting. libzmq's own thread reads, writes and sends
heartbeats; a monitor on each socket reports new and ended connections.
"""

from __future__ import annotations

from lymph.core.transport._zeromq.transport import ZeromqTransport

__all__ = ['ZeromqTransport']
