"""The native thread that serves the operations port, so that it answers while the loop is blocked.

Nothing here is monkey-patched, takes a lock that a greenlet may hold, or logs: the handlers of logs
have such locks. Signals are left to the main thread.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from typing import Any, Final

from gevent import monkey

from lymph.core._operations.connections import PortConnection, Respond

__all__ = ['PortThread']

_MOST: Final = 64  # connections; then those that have been idle for longest make room
_PER_TURN: Final = 32  # connections that are accepted before others get their turn
_PAUSE: Final = 0.5  # seconds without accepting when there are no descriptors left
_LONGEST_TURN: Final = 60.0  # seconds
_END: Final = 2.0  # seconds that the thread gets to end

_start_thread: Any = monkey.get_original('_thread', 'start_new_thread')
_new_lock: Any = monkey.get_original('_thread', 'allocate_lock')
_poll: Any = monkey.get_original('select', 'poll')
_Socket: Any = monkey.get_original('socket', 'socket')


class PortThread:
    """Serves the listening socket `listening` from `start` to `close`.

    `respond` is called in the thread, for each request.
    """

    def __init__(self, listening: socket.socket, respond: Respond) -> None:
        self._listening = listening
        self._respond = respond
        self._connections: dict[int, PortConnection] = {}  # in the order of their last request
        self._accepts_at = 0.0
        self._reading, self._writing = os.pipe()
        for descriptor in (self._reading, self._writing):
            os.set_blocking(descriptor, False)
        self._closing = False
        self._ended = _new_lock()  # held until the thread has ended

    def start(self) -> None:
        """Start the thread."""
        self._ended.acquire()
        _start_thread(self._run, ())

    def wake(self) -> None:
        """Have the thread look at its connections; may be called by any thread."""
        # if it is full, the thread wakes up anyway
        with contextlib.suppress(OSError):
            os.write(self._writing, b'.')

    def close(self) -> bool:
        """End the thread and close everything; return whether the thread has ended."""
        self._closing = True
        self.wake()
        ended = bool(self._ended.acquire(True, _END))
        if ended:
            self._close_all()
        return ended

    def abandon(self) -> None:
        """In a forked child, which has no such thread, close the descriptors."""
        self._closing = True
        self._close_all()

    def _close_all(self) -> None:
        self._listening.close()
        self._drop_connections()
        reading, self._reading = self._reading, -1
        writing, self._writing = self._writing, -1
        for descriptor in (reading, writing):
            if descriptor >= 0:
                os.close(descriptor)

    def _drop_connections(self) -> None:
        for connection in list(self._connections.values()):
            connection.close()
        self._connections.clear()

    def _run(self) -> None:
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
            while not self._closing:
                try:
                    self._turn()
                except Exception:  # noqa: BLE001 - the probes are to be answered after all
                    self._drop_connections()
                    self._accepts_at = time.monotonic() + _PAUSE
        finally:
            self._ended.release()

    def _turn(self) -> None:
        waiting = _poll()
        waiting.register(self._reading, select.POLLIN)
        now = time.monotonic()
        if now >= self._accepts_at:
            waiting.register(self._listening.fileno(), select.POLLIN)
        for descriptor, connection in self._connections.items():
            waiting.register(descriptor, connection.events)
        for descriptor, event in waiting.poll(self._patience(now) * 1000):
            self._happened(descriptor, event)
        now = time.monotonic()
        for descriptor, connection in list(self._connections.items()):
            connection.tick(now)
            if connection.state == 'CLOSED':
                del self._connections[descriptor]

    def _patience(self, now: float) -> float:
        """Return how many seconds the thread may wait for an event."""
        ends = [each.deadline for each in self._connections.values()]
        if self._accepts_at > now:
            ends.append(self._accepts_at)
        return min(max(min(ends, default=now + _LONGEST_TURN) - now, 0.0), _LONGEST_TURN)

    def _happened(self, descriptor: int, event: int) -> None:
        if descriptor == self._reading:
            with contextlib.suppress(OSError):
                os.read(self._reading, 4096)
        elif descriptor == self._listening.fileno():
            for _ in range(_PER_TURN):
                if not self._accept():
                    break
        else:
            connection = self._connections.get(descriptor)
            if connection is not None:
                connection.happened(event, time.monotonic())
                if connection.state == 'CLOSED':
                    del self._connections[descriptor]
                else:  # it is the last one to make room for others
                    self._connections[descriptor] = self._connections.pop(descriptor)

    def _accept(self) -> bool:
        """Accept a connection; return whether there may be another one."""
        try:
            # `accept` would make a socket of gevent under monkey patching
            descriptor, _ = self._listening._accept()  # type: ignore[attr-defined]  # noqa: SLF001
        except (BlockingIOError, InterruptedError):
            return False
        except ConnectionAbortedError:
            return True
        except OSError:
            self._accepts_at = time.monotonic() + _PAUSE
            return False
        sock = _Socket(fileno=descriptor)
        sock.setblocking(False)
        now = time.monotonic()
        connection = PortConnection(sock, self._respond, now)
        if len(self._connections) >= _MOST and not self._make_room():
            connection.close()
            return True
        self._connections[descriptor] = connection
        connection.happened(select.POLLIN, now)  # most clients have sent their request by now
        if connection.state == 'CLOSED':
            del self._connections[descriptor]
        return True

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest; return whether there is one."""
        for descriptor, connection in self._connections.items():
            if connection.idle:
                connection.close()
                del self._connections[descriptor]
                return True
        return False
