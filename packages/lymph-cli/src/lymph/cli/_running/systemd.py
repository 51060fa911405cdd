"""Tells systemd how this process is: sd_notify(3), without its library.

``NOTIFY_SOCKET`` is a datagram socket, ``/path`` or ``@name`` in the abstract namespace. A process
that is to be watched gets ``WATCHDOG_USEC``, and ``WATCHDOG_PID`` says which process that is.
"""

from __future__ import annotations

import os
import re
import socket
from collections import deque
from typing import Any

import gevent
from gevent.monkey import get_original

from lymph.cli.output import one_line, say
from lymph.config.printable import quoted

__all__ = ['VARIABLES', 'Notifier']

VARIABLES = ('NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID')

_AGAIN = 0.1  # seconds until what systemd had no room for is sent again
_KEPT = 16  # messages that wait for room; older ones are dropped
_Socket: type[socket.socket] = get_original('socket', 'socket')


class Notifier:
    """Sends what it is told to systemd, if there is one to be told.

    Nothing here waits or raises. What cannot be sent is one line on stderr, the first time. A child
    that is forked sends nothing.
    """

    def __init__(self, address: bytes | None = None, watchdog: float | None = None) -> None:
        self._address = address
        self._watchdog = watchdog
        #: what was taken out of the environment
        self.taken: dict[str, str] = {}
        self._waiting: deque[bytes] = deque(maxlen=_KEPT)
        self._socket: socket.socket | None = None
        self._ping: Any = None  # timers of the loop
        self._again: Any = None
        self._told = False
        self._process = os.getpid()

    @classmethod
    def from_environ(cls) -> Notifier:
        """Take the variables out of the environment, so that no child tells for this process.

        Values that nothing can be sent to are one line on stderr.
        """
        taken = {name: os.environ.pop(name) for name in VARIABLES if name in os.environ}
        address = taken.get('NOTIFY_SOCKET', '')
        if not address:
            return cls()
        if not re.match('/.|@.', address):
            say(
                f'NOTIFY_SOCKET: expected a path or @ and a name, found {quoted(address)}; '
                'systemd is not told'
            )
            return cls()
        encoded = os.fsencode(address)
        found = cls(b'\0' + encoded[1:] if address[0] == '@' else encoded, _watchdog(taken))
        found.taken = taken
        return found

    def tell(self, *facts: str) -> None:
        """Send facts such as ``READY=1``; line breaks in them are spaces."""
        if self._address is not None:
            self._waiting.append('\n'.join(map(one_line, facts)).encode(errors='replace'))
            self._send_waiting()

    def watch(self) -> None:
        """Tell from now on, twice in the time that systemd waits, that the loop turns.

        It is told from the hub: a loop that is blocked tells nothing.
        """
        if self._address is not None and self._watchdog is not None:
            pause = self._watchdog / 2
            self._ping = gevent.get_hub().loop.timer(pause, pause, ref=False)
            self._ping.start(self._send, b'WATCHDOG=1')

    def _send_waiting(self) -> None:
        while self._waiting and self._send(self._waiting[0]):
            self._waiting.popleft()
        if self._waiting:
            if self._again is None:
                self._again = gevent.get_hub().loop.timer(_AGAIN, ref=False)
            self._again.start(self._send_waiting)

    def _send(self, message: bytes) -> bool:
        """Send a message; returns False if there is no room for it just now."""
        assert self._address is not None
        # A forked child sends nothing: these messages are its parent's.
        if self._process != os.getpid():
            return True
        try:
            if self._socket is None:
                self._socket = _Socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(message, self._address)
        except BlockingIOError:
            return False
        except OSError as error:
            # True drops the message, because it would fail each time.
            if not self._told:
                self._told = True
                say(f'NOTIFY_SOCKET: systemd is not told: {error.strerror or error}')
        return True


def _watchdog(taken: dict[str, str]) -> float | None:
    """Return the seconds of the watchdog, or None if this process has none."""
    value = taken.get('WATCHDOG_USEC', '')
    if not value or taken.get('WATCHDOG_PID', str(os.getpid())) != str(os.getpid()):
        return None
    if re.fullmatch('[0-9]{1,15}', value) is None or not int(value):
        say(f'WATCHDOG_USEC: expected a number of microseconds, found {quoted(value)}')
        return None
    return int(value) / 1e6
