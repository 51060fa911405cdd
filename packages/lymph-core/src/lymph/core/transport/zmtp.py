"""ZMTP spoken on gevent sockets: the default transport.

Its peers are DEALER and ROUTER sockets of any ZeroMQ library. Everything on a link happens in the
hub: one reader callback decodes and delivers, one writer sends what a loop turn produced.
"""

from __future__ import annotations

from lymph.core.transport._zmtp.transport import ZmtpTransport

__all__ = ['ZmtpTransport']
