"""ZMTP on TCP sockets in gevent's loop: the default transport.

Its peers may be DEALER and ROUTER sockets of any ZeroMQ library. All work of a link is done in the
hub: a reader callback decodes and delivers messages, a writer sends the output of each turn of the
loop.
"""

from __future__ import annotations

from lymph.core.transport._zmtp.transport import ZmtpTransport

__all__ = ['ZmtpTransport']
