"""The queues at RabbitMQ: their state for an operator, from AMQP and the management API."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from amqp.exceptions import NotFound

from lymph.config.printable import quoted
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._rabbitmq.channels import AmqpChannel
from lymph.events.kombu._rabbitmq.deadletters import RabbitmqDeadLetters
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.management import Figures, Management
from lymph.events.kombu._rabbitmq.records import Records, is_gone
from lymph.events.kombu._rabbitmq.topology import Queue, Topology
from lymph.events.queues import QueueInUse, Queues, QueueState

__all__ = ['RabbitmqQueues']

_COUNTED = 1000  # dead letters; to count them by queue, each has to be taken and put back
_LONGEST = 255  # bytes of a name in AMQP
_NOTE = (
    'over AMQP RabbitMQ tells no bytes, ages, delayed or running events; '
    'container.events.management names its management API, which knows bytes and what runs'
)
_NOTE_WITH_API = 'RabbitMQ tells no ages and no delayed events'


class RabbitmqQueues(Queues):
    """The queues in `records`, and with `management` also others of this exchange.

    Every method raises BrokerError when there is no connection within `timeout` seconds, and when
    the broker refuses a command. Names are those of subscriptions, without the prefix of the
    exchange.
    """

    def __init__(
        self,
        link: RabbitmqLink,
        topology: Topology,
        records: Records,
        letters: RabbitmqDeadLetters,
        timeout: float,
        management: Management | None = None,
    ) -> None:
        self._link = link
        self._topology = topology
        self._names = topology.names
        self._records = records
        self._letters = letters
        self._timeout = timeout
        self._management = management
        self._trouble = ''  # why the API did not answer the last request
        self._many = 0  # the number of dead letters, if too large to count them by queue

    @property
    def note(self) -> str:
        """The facts that the last `read` could not find out, and what would help."""
        dead = f'; {self._many} dead letters are too many to count by queue' if self._many else ''
        known = _NOTE if self._management is None else self._trouble or _NOTE_WITH_API
        return f'{known}{dead}'

    def read(self, names: Iterable[str] | None = None) -> Sequence[QueueState]:
        """Return the queues of these names, or all, sorted by name; unknown names are left out.

        Without `names`, queues that do not exist any more are removed from the record. Up to 1000
        dead letters are read to count them by queue; `dead` is None if there are more.
        """
        figures = self._ask_management()
        if names is None:
            # By name at the broker: whether the queue is temporary, None if that is not known. The
            # API also shows queues that earlier versions declared, which are not in the record.
            ours = (name for name in figures if self._is_of_exchange(figures[name]))
            known: Mapping[str, bool | None] = {
                **dict.fromkeys(ours, False),
                **self._records.read(),
            }
        else:
            known = dict.fromkeys(self._names.queue(name) for name in names)
        found = dict(self._look(known))
        # A queue whose node is down was found, and stays in the record.
        gone = [name for name in known if name not in found]
        if names is None and gone:
            self._records.remove(gone)
        states = [self._with_figures(state, figures) for state in self._states(found, known)]
        dead = self._count_dead() if states else None
        return [
            state if dead is None else replace(state, dead=dead[state.queue]) for state in states
        ]

    def names(self) -> frozenset[str]:
        """Return the names at the broker of all queues in the record.

        Raises BrokerError as `read` does.
        """
        return frozenset(self._records.read())

    def glance(self, names: Iterable[str]) -> Sequence[QueueState]:
        """Return the queues of these names, sorted, with `waiting` and `consumers` only."""
        known: Mapping[str, bool | None] = dict.fromkeys(map(self._names.queue, names))
        return self._states(dict(self._look(known)), known)

    def drop(self, name: str, *, forced: bool = False) -> bool:
        """Delete a queue with all events in it, and return whether it existed.

        Its dead letters stay. Raises BrokerError for a queue that lymph did not declare, and
        QueueInUse if it has consumers, unless `forced`.
        """
        queue = self._names.queue(name)
        found = dict(self._look([queue]))
        if queue not in found:
            return False
        if queue not in self._records.read() and self._ours(queue) is None:
            raise BrokerError(
                f'the queue {quoted(name)} was not declared by lymph; unless another program has '
                f'it, delete it with rabbitmqctl delete_queue --if-unused {shlex.quote(queue)}'
            )
        # RabbitMQ has an option for this check (if-unused), but for classic queues only
        _, consumers = found[queue] or (0, 0)
        if consumers and not forced:
            raise QueueInUse(name, consumers)
        with self._link.channel(self._timeout) as channel:
            channel.queue_delete(queue)
        self._records.remove([queue])
        return True

    def adopt(self, name: str) -> None:
        """Add an existing queue to the record if lymph declared it.

        The record lacks queues that earlier versions declared. Raises BrokerError as `read` does.
        """
        queue = self._names.queue(name)
        ours = None if queue in self._records.read() else self._ours(queue)
        if ours is not None:
            self._records.note(ours)

    def _ours(self, name: str) -> Queue | None:
        """Return the durable queue of this name if it exists exactly as lymph declares it."""
        for exclusive in (False, True):
            queue = self._topology.durable_queue(name, exclusive)
            try:
                with self._link.channel(self._timeout) as channel:
                    queue.declare(channel)  # RabbitMQ refuses this if the arguments differ
            except BrokerError:
                continue
            return queue
        return None

    def _ask_management(self) -> Mapping[str, Figures]:
        self._trouble = ''
        if self._management is None:
            return {}
        try:
            return self._management.read(self._link.broker.virtual_host)
        except BrokerError as error:
            self._trouble = f'bytes and what runs are not known: {error}'
            return {}

    def _is_of_exchange(self, figures: Figures) -> bool:
        return figures.dead_letter_exchange == self._names.dead

    def _with_figures(self, state: QueueState, figures: Mapping[str, Figures]) -> QueueState:
        found = figures.get(self._names.queue(state.queue))
        if found is None:
            return state
        return replace(state, bytes=found.bytes, running=found.running)

    def _states(
        self, found: Mapping[str, tuple[int, int] | None], known: Mapping[str, bool | None]
    ) -> list[QueueState]:
        states = [
            QueueState(
                self._names.name_of(name),
                temporary=known[name],
                waiting=counts[0],
                consumers=counts[1],
            )
            for name, counts in found.items()
            if counts is not None
        ]
        return sorted(states, key=lambda state: state.queue)

    def _look(self, names: Iterable[str]) -> Iterator[tuple[str, tuple[int, int] | None]]:
        """Yield each existing queue with its numbers of waiting events and consumers.

        The numbers are None for a queue whose node is down. No queue has a name of more than 255
        bytes, and AMQP could not carry one.
        """
        left = [name for name in names if len(name.encode(errors='surrogatepass')) <= _LONGEST]
        while left:
            with self._link.channel(self._timeout) as channel:
                while left:
                    name = left.pop(0)
                    try:
                        yield name, _counts(channel, name)
                    except NotFound as error:
                        if not is_gone(error):
                            yield name, None
                        break  # the broker has closed the channel

    def _count_dead(self) -> Counter[str] | None:
        """Return how many dead letters each queue has, or None if there are more than 1000."""
        with self._link.channel(self._timeout) as channel:
            total, _ = _counts(channel, self._names.dead)
        self._many = total if total > _COUNTED else 0
        if self._many:
            return None
        return Counter(letter.queue for letter in self._letters.scan()) if total else Counter()


def _counts(channel: AmqpChannel, name: str) -> tuple[int, int]:
    declared = channel.queue_declare(name, passive=True)
    return declared.message_count, declared.consumer_count
