"""The record of all queues of a system, kept at the broker because AMQP cannot list queues.

The record is one message in a queue of its own: a JSON object that maps the names of queues at the
broker to whether they are temporary. An instance that declares a queue adds it soon after, in the
background; dropping a queue removes it. Rules:

- Reading or changing the record requires a lock: an exclusive queue, which the broker deletes with
  the connection of its owner.
- The old message is acknowledged when the new one is confirmed. A process that dies in between
  leaves both; readers merge them.
- Temporary queues expire unnoticed. So each writer checks whether a few of them still exist, and
  the record does not grow with the number of instances that ever ran.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import amqp
import gevent
from amqp.exceptions import NotFound, ResourceLocked
from gevent.event import Event as Signal
from gevent.lock import RLock

from lymph.core.greenlets import Greenlet
from lymph.events.kombu._connecting.errors import BROKEN, BrokerError
from lymph.events.kombu._connecting.loops import go_on
from lymph.events.kombu._rabbitmq.channels import AmqpChannel
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.publications import Publication
from lymph.events.kombu._rabbitmq.publisher import Publisher
from lymph.events.kombu._rabbitmq.topology import Queue, Topology

__all__ = ['Records', 'is_gone']

logger = logging.getLogger(__name__)

_PERSISTENT = 2
_PRUNED = 16  # temporary queues that one write checks
_AFTER_ERROR = 5.0  # seconds before a failed write is tried again
_TOLD = 2  # failures before a warning is logged
_AGAIN = 30.0  # seconds over which instances that all reconnected at once spread their writes
_LOCKED = (0.02, 0.1)  # seconds between two attempts to get the lock

_Known = dict[str, bool]


class Records:
    """Reads and writes the record over `link`, with a timeout of `timeout` seconds.

    `read` and `remove` raise BrokerError; failures of `note` and `stop` are logged.
    """

    def __init__(
        self, link: RabbitmqLink, topology: Topology, publisher: Publisher, timeout: float
    ) -> None:
        self._link = link
        self._topology = topology
        self._publisher = publisher
        self._timeout = timeout
        self._mine = RLock()  # the broker's lock is that of the connection
        self._noted: set[str] = set()
        self._pending: _Known = {}
        self._wake = Signal()
        self._writing: Greenlet | None = None
        self._failures = 0
        self._warned = False
        self._abandoned = False

    def abandon(self) -> None:
        """Stop writing, in a forked child."""
        self._abandoned = True

    def note(self, queue: Queue) -> None:
        """Add a queue that was just declared, in the background. Never waits."""
        self._pending[queue.name] = queue.temporary
        self._wake.set()
        if self._writing is None:
            self._writing = Greenlet.spawn(go_on, logger, 'the record of queues', self._write)

    def stop(self, timeout: float) -> None:
        """Write what was noted and not written yet, within `timeout` seconds if possible."""
        writing, self._writing = self._writing, None
        try:
            with gevent.Timeout(timeout, BrokerError('no answer in time')), self._mine:
                if writing is not None:
                    writing.kill()  # it has no command under way, whose answer would come later
                    writing = None
                if self._pending.keys() - self._noted and self._link.connection is not None:
                    self._add()
        except BrokerError as error:
            logger.debug('the record of queues was not written: %s', error)
        finally:
            if writing is not None:
                writing.kill()

    def read(self) -> Mapping[str, bool]:
        """Return the names of all queues at the broker, and whether each is temporary.

        Raises BrokerError when there is no connection, or when the lock is not free in time.
        """
        return self._change(lambda known: known)

    def remove(self, names: Iterable[str]) -> None:
        """Remove queues from the record. Raises BrokerError as `read` does."""
        gone = set(names)
        self._change(lambda known: {name: known[name] for name in known if name not in gone})

    def _write(self) -> bool:
        """Wait for something to write and write it; return whether to stop after that."""
        self._wake.wait()
        self._wake.clear()
        if self._pending.keys() <= self._noted:
            self._wake.wait(random.uniform(0, _AGAIN))
            self._wake.clear()
        try:
            self._add()
        except BrokerError as error:
            self._failures += 1
            # the first failure may be due to an outage, which is logged elsewhere
            due = self._failures >= _TOLD and self._link.connection is not None
            level = logging.WARNING if due and not self._warned else logging.DEBUG
            self._warned |= due
            text = '`lymph queues` may miss queues of this instance, trying again: %s'
            logger.log(level, text, error)
            gevent.sleep(_AFTER_ERROR)
            self._wake.set()
        return self._abandoned

    def _add(self) -> None:
        pending, self._pending = self._pending, {}
        try:
            self._change(lambda known: {**self._pruned(known, pending), **pending})
        except BaseException:
            self._pending = {**pending, **self._pending}
            raise
        self._noted.update(pending)

    def _pruned(self, known: _Known, pending: _Known) -> _Known:
        """Return `known` without the temporary queues that are gone; only some are checked.

        Those that exist move to the end, so that the next write checks others.
        """
        looked_for = [name for name in known if known[name] and name not in pending][:_PRUNED]
        there = [name for name in looked_for if not self._is_gone(name)]
        rest = {name: known[name] for name in known if name not in looked_for}
        return {**rest, **dict.fromkeys(there, True)}

    def _is_gone(self, name: str) -> bool:
        with self._link.channel(self._timeout) as channel:
            try:
                channel.queue_declare(name, passive=True)
            except NotFound as error:
                return is_gone(error)
        return False

    # All access to the record.

    def _change(self, change: Callable[[_Known], _Known]) -> _Known:
        deadline = time.monotonic() + self._timeout
        with self._mine:
            while True:
                with self._link.channel(self._timeout) as channel:
                    if self._lock(channel):
                        try:
                            return self._replace(channel, change)
                        finally:
                            with suppress(*BROKEN):
                                channel.queue_delete(self._topology.names.lock)
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f'{self._link.broker}: the record of queues is not free within '
                        f'{self._timeout:g} s'
                    )
                gevent.sleep(random.uniform(*_LOCKED))

    def _lock(self, channel: AmqpChannel) -> bool:
        """Take the lock and return True; if it is taken, the channel is closed: return False."""
        try:
            channel.queue_declare(
                self._topology.names.lock, durable=False, exclusive=True, auto_delete=False
            )
        except ResourceLocked:
            return False
        return True

    def _replace(self, channel: AmqpChannel, change: Callable[[_Known], _Known]) -> _Known:
        queue = self._topology.record_queue
        queue.declare(channel)
        taken: list[amqp.Message] = []
        known: _Known = {}
        while (message := channel.basic_get(queue.name)) is not None:
            taken.append(message)
            known |= _decoded(message.body)
        changed = change(dict(known))
        if changed or taken:
            body = json.dumps(changed).encode()
            following = amqp.Message(
                body, content_type='application/json', delivery_mode=_PERSISTENT
            )
            publication = Publication(following, '', queue.name, mandatory=True)
            self._publisher.publish(publication, self._timeout)
        for message in taken:
            channel.basic_ack(message.delivery_tag)
        return changed


def is_gone(error: NotFound) -> bool:
    """Return whether a queue does not exist; False if only its node is down."""
    return 'no queue' in str(error.reply_text)


def _decoded(body: bytes) -> _Known:
    """Return the entries of a record; none if it is malformed: other programs can write there."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(value, dict):
        return {}
    return {
        name: temporary
        for name, temporary in value.items()
        if isinstance(temporary, bool) and name and name.isprintable() and len(name.encode()) < 256
    }
