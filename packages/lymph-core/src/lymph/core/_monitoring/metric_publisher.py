"""Publishing the metrics of a container on a ZeroMQ socket, as lymph 0.15 did.

Every few seconds, subscribers get a message of two frames: ``lymph.metrics`` and a msgpack map:

============  =======  ======================================================================
key           type     content
============  =======  ======================================================================
``identity``  text     the identity of the container
``number``    integer  counts the messages from 1; a gap means lost messages
``time``      number   Unix time at which the metrics were read
``interval``  number   seconds between two messages
``series``    list     ``[name, value, tags]`` for each series, as `lymph.get_metrics`
============  =======  ======================================================================

The socket is an XPUB socket, which is told of subscriptions: while there are none, nothing is read,
packed or sent. Nobody waits for subscribers: libzmq queues at most `_SENT_AHEAD` messages for one
that reads too slowly, and further ones are lost for it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Final

import gevent
import zmq

from lymph.core._system.blocking import in_thread
from lymph.core._system.forks import abandon_in_children
from lymph.core.failures import Killed, log_failure
from lymph.core.greenlets import Greenlet
from lymph.core.monitoring.log_limits import Reminder
from lymph.core.monitoring.metrics import Sample
from lymph.serializers.msgpack import pack

__all__ = ['TOPIC', 'MetricPublisher']

logger = logging.getLogger(__name__)

TOPIC: Final = b'lymph.metrics'

_SENT_AHEAD: Final = 10  # messages for one subscriber
_AT_ONCE: Final = 100  # subscriptions that are read in one turn of the loop
_MOST: Final = 100_000  # subscriptions that are read before a message is published
_LARGEST: Final = 256  # bytes of a subscription; subscribers send nothing else


class MetricPublisher:
    """Publishes `metrics` at `endpoint` every `interval` seconds until `close`.

    `endpoint` is one of libzmq; the host must be an IP address or ``*``, the port a number or
    ``*``. Afterwards the attribute `endpoint` has the real port. Raises OSError if the endpoint
    cannot be used.
    """

    def __init__(
        self, endpoint: str, identity: str, metrics: Iterable[Sample], interval: float
    ) -> None:
        self._identity = identity
        self._metrics = metrics
        self._interval = interval
        self._number = 0
        self._closed = False
        self._wanted: set[bytes] = set()  # subscriptions that fit; no more than prefixes of TOPIC
        self._reminder = Reminder()
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.XPUB)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.SNDHWM, _SENT_AHEAD),
            (zmq.MAXMSGSIZE, _LARGEST),
            (zmq.IPV6, int('[' in endpoint)),
        ):
            self._socket.set(option, value)
        try:
            self._socket.bind(endpoint)
        except zmq.ZMQError as error:
            self._socket.close(0)
            self._context.term()  # nothing was sent, so this does not wait
            raise OSError(error.errno, error.strerror) from error
        self.endpoint = str(self._socket.get_string(zmq.LAST_ENDPOINT))
        self._greenlet: Greenlet | None = Greenlet.spawn(self._run)
        abandon_in_children(self)

    @property
    def listened_to(self) -> bool:
        """Whether anybody subscribes to the metrics, as far as was noticed."""
        return bool(self._wanted)

    def close(self) -> None:
        """Stop publishing and close the socket. Idempotent."""
        if self._closed:
            return
        self._closed = True
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()
        self._socket.close(0)
        in_thread(self._context.term)

    def abandon(self) -> None:
        """In a forked child, stop publishing; the socket stays the parent's."""
        self._closed = True

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            due = max(due + self._interval, time.monotonic())
            gevent.sleep(due - time.monotonic())
            try:
                if not self._turn():
                    return
            except Killed:
                raise
            except Exception as error:  # noqa: BLE001 - the next time it may work
                if self._reminder.due(time.monotonic()):
                    log_failure(logger, error, 'cannot publish the metrics')

    def _turn(self) -> bool:
        """Publish the metrics if anybody listens; return False in a forked child."""
        if not self._closed:
            self._note_subscriptions()
        if self._wanted and not self._closed:
            self._publish()
        return not self._closed

    def _note_subscriptions(self) -> None:
        """Read what has been subscribed to since the last time, as far as it has arrived."""
        for count in range(_MOST):
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if count % _AT_ONCE == _AT_ONCE - 1:
                gevent.sleep(0)
            message = frames[0]
            if len(frames) != 1 or not TOPIC.startswith(message[1:]):
                continue
            if message[:1] == b'\x01':
                self._wanted.add(message[1:])
            elif message[:1] == b'\x00':
                self._wanted.discard(message[1:])

    def _publish(self) -> None:
        now = time.time()
        self._number += 1
        packed = pack(
            {
                'identity': self._identity,
                'number': self._number,
                'time': now,
                'interval': self._interval,
                'series': [list(sample) for sample in self._metrics],
            }
        )
        self._socket.send_multipart((TOPIC, packed), zmq.NOBLOCK)
