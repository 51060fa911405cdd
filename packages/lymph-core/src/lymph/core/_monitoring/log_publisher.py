"""Publishing the log of this process on a ZeroMQ PUB socket.

Source: the manual, Logging Configuration. Each record is a message of two frames: ``lymph.log`` and
a msgpack map with the facts of `monitoring.log_records`, and

============  =======  ======================================================================
fact          type     content
============  =======  ======================================================================
``identity``  text     the identity of the container
``number``    integer  counts the records of this container from 1; a gap means lost records
============  =======  ======================================================================

Code that logs never waits. Records of other native threads are queued for the loop, at most
`_QUEUED`; libzmq queues at most `_SENT_AHEAD` records for a subscriber that reads too slowly.
Further records are dropped, which shows as a gap in the numbers.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final

import gevent
import zmq

from lymph.core._monitoring.log_records import LogStreamHandler
from lymph.core._system.blocking import in_thread
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.threads import get_ident
from lymph.exceptions import SerializationError
from lymph.serializers.msgpack import pack

__all__ = ['TOPIC', 'LogPublisher']

TOPIC: Final = b'lymph.log'

_QUEUED: Final = 2_000  # records
_SENT_AHEAD: Final = 1_000  # records for one subscriber
_AT_ONCE: Final = 100  # queued records sent in one turn of the loop
_LINGER: Final = 300  # milliseconds to send the last records when the socket is closed


class LogPublisher:
    """Publishes the log of this process at `endpoint` until `close`.

    `endpoint` is one of libzmq; the host must be an IP address or ``*``, the port a number or
    ``*``. Afterwards the attribute `endpoint` has the real port. Raises OSError if the endpoint
    cannot be used. Create and close a publisher in the thread of its container.
    """

    def __init__(self, endpoint: str, identity: str) -> None:
        self._identity = identity
        self._number = 0
        self._waiting: deque[dict[str, Any]] = deque()
        self._left_out = 0
        self._scheduled = False
        self._sending = False
        self._closed = False
        self._thread = get_ident()
        self._loop = gevent.get_hub().loop
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.PUB)
        self._socket.set(zmq.SNDHWM, _SENT_AHEAD)
        self._socket.set(zmq.LINGER, _LINGER)
        self._socket.set(zmq.IPV6, int('[' in endpoint))
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._socket.close(0)
            self._context.term()  # nothing was sent, so this does not wait
            raise OSError(error.errno, error.strerror) from error
        self.endpoint = str(self._socket.get_string(zmq.LAST_ENDPOINT))
        self._unfollow = LogStreamHandler.follow(self._publish)
        abandon_in_children(self)

    def close(self) -> None:
        """Send what is queued, then close the socket. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._unfollow()
        self._send_some(len(self._waiting))
        self._socket.close()
        in_thread(self._context.term)  # waits up to `_LINGER` for records that are being sent

    def abandon(self) -> None:
        """In a forked child, stop publishing; the socket stays the parent's."""
        self._closed = True
        self._unfollow()

    def _publish(self, facts: dict[str, Any]) -> None:
        """Send a record, or queue it; may be called in any thread."""
        if get_ident() == self._thread and not self._sending:
            self._send_some(len(self._waiting))
            self._send(facts)
            return
        # another thread logs, or a destructor logs while a record is being sent
        if len(self._waiting) >= _QUEUED:
            self._left_out += 1
            return
        self._waiting.append(facts)
        if not self._scheduled:
            self._scheduled = True
            self._loop.run_callback_threadsafe(self._run)

    def _run(self) -> None:
        self._scheduled = False
        if self._closed:
            return
        self._send_some(_AT_ONCE)
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._loop.run_callback(self._run)

    def _send_some(self, count: int) -> None:
        for _ in range(min(count, len(self._waiting))):
            self._send(self._waiting.popleft())
        left_out, self._left_out = self._left_out, 0
        self._number += left_out

    def _send(self, facts: dict[str, Any]) -> None:
        self._sending = True
        self._number += 1
        try:
            packed = pack({'identity': self._identity, 'number': self._number, **facts})
            self._socket.send_multipart((TOPIC, packed), zmq.NOBLOCK)
        except (SerializationError, zmq.ZMQError):
            pass  # the gap in the numbers shows that it is missing
        finally:
            self._sending = False
