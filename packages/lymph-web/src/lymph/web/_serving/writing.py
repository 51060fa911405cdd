"""Writing to the socket of a connection.

A worker writes to the socket directly, and waits for a turn of the loop when the kernel's buffer is
full, or when it has written its share of this turn. The hub writes without waiting.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any, Protocol

from lymph.core.failures import error_line
from lymph.web._answering.faults import ClientGone
from lymph.web._http.limits import Limits
from lymph.web._serving.cold_files import warm
from lymph.web._serving.waiting import MOVED, WaitingHost, WaitingLink

__all__ = ['TlsLayer', 'WritingHost', 'WritingLink']

_SLICE = 64 * 1024  # bytes that are written at once, and have to leave within a stall timeout
# In each turn, a worker writes as much as this; what a system call costs is counted as bytes.
_TURN = 32 * 1024
_CALL = 256


class TlsLayer(Protocol):
    """TLS without a socket."""

    #: whether the handshake is over
    ready: bool
    #: whether the client has announced that it sends nothing more
    ended: bool

    def feed(self, data: bytes) -> bytes:
        """Return the plain bytes in what has arrived; raises LymphError for what is no TLS."""

    def outgoing(self) -> bytes:
        """Return what has to be sent now."""

    def wrap(self, data: bytes) -> bytes:
        """Return plain bytes as they are sent."""

    def closing(self) -> bytes:
        """Return what ends the connection."""


class WritingHost(WaitingHost, Protocol):
    """What connections that write share."""

    limits: Limits


class WritingLink(WaitingLink):
    """A non-blocking socket that is written to, with TLS if there is a `wire`."""

    __slots__ = ('_limits', '_spent', '_unsent', '_writable', 'socket', 'wire')

    def __init__(
        self, sock: socket.socket, host: WritingHost, wire: TlsLayer | None = None
    ) -> None:
        super().__init__(host)
        self.socket = sock
        self.wire = wire
        self._limits = host.limits
        self._spent = 0  # bytes written in this turn, and the calls for it
        self._unsent = b''  # what the hub could not send at once
        self._writable: Any = None

    def send(self, data: bytes) -> None:
        """Write `data`; wait while the client does not read. Raises ClientGone."""
        if self.wire is None and len(data) <= _SLICE:
            self._send(data)
            return
        view = memoryview(data)
        for start in range(0, len(view), _SLICE):
            part = view[start : start + _SLICE]
            self._send(part if self.wire is None else self.wire.wrap(bytes(part)))

    def _send(self, data: bytes | memoryview) -> None:
        """Write up to a slice."""
        size = len(data)
        sent = 0 if self._spent >= _TURN or self._unsent else self._write(data)
        if sent < size:
            until = time.monotonic() + self._limits.stall_timeout
            while sent < size:
                self._wait_writable(until)
                if not self._unsent:
                    sent += self._write(data[sent:])

    def send_file(self, descriptor: int, start: int, size: int) -> int:
        """Write a part of a file, without TLS; return how many bytes of it there were.

        Raises ClientGone, and OSError if the file cannot be read.
        """
        at, end, mark = start, start + size, start
        until = 0.0
        while at < end:
            if at >= mark:
                until, mark = time.monotonic() + self._limits.stall_timeout, at + _SLICE
            if self._spent >= _TURN or self._unsent:
                self._wait_writable(until)
                continue
            warm(descriptor, at, min(end - at, _SLICE))
            try:
                if self._broken is not None:
                    raise ClientGone(self._broken)
                sent = os.sendfile(self.socket.fileno(), descriptor, at, min(end - at, _SLICE))
            except BlockingIOError:
                self._wait_writable(until)
                continue
            except OSError as error:
                raise ClientGone(error_line(error)) from None
            if not sent:
                break  # the file is shorter by now
            at += sent
            self._spent += sent + _CALL
        return at - start

    def _write(self, data: bytes | memoryview) -> int:
        if self._broken is not None:
            raise ClientGone(self._broken)
        try:
            sent = self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise ClientGone(error_line(error)) from None
        self._spent += sent + _CALL
        return sent

    def _wait_writable(self, until: float) -> None:
        """Wait for a turn of the loop in which the kernel takes more bytes."""
        self._watch_writable()
        try:
            self._wait(until, reading=False)
        except TimeoutError:
            raise ClientGone('it stopped reading the answer') from None
        except OSError as error:
            raise ClientGone(error_line(error)) from None
        finally:
            if self._writable is not None and not self._unsent:
                self._writable.stop()
        self._spent = 0

    def _watch_writable(self) -> None:
        if self._writable is None:
            self._writable = self._hub.loop.io(self.socket.fileno(), 2)
        if not self._writable.active:
            self._writable.start(self._can_write)

    def _can_write(self) -> None:
        if self._unsent:
            data, self._unsent = self._unsent, b''
            self._push(data)
        if not self._unsent and self._writable is not None:
            self._writable.stop()
            if self._waiter is not None and not self._reading:
                self._wake(MOVED)
            else:
                self._all_sent()

    def _push(self, data: bytes) -> None:
        """Send without waiting: what does not fit follows when there is room. Runs in the hub."""
        if self._unsent:
            self._unsent += data
        elif data:
            try:
                sent = self.socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError as error:
                self._broke(error_line(error))
                return
            self._unsent = data[sent:]
        if self._unsent:
            self._watch_writable()

    def _stop_writing(self) -> None:
        if self._writable is not None:
            self._writable.stop()
            self._writable.close()
            self._writable = None

    def _all_sent(self) -> None:
        """Handle that nothing is left of what the hub had to send."""
        raise NotImplementedError

    def _broke(self, reason: str) -> None:
        """Handle that the connection can carry nothing any more."""
        raise NotImplementedError
