"""The check `old-queues`: queues of lymph 0.15, of earlier versions or of another exchange.

Such queues are still bound to the events that are emitted there, and collect them although nobody
consumes them. AMQP cannot list queues, so the check tries the names that earlier versions gave to
the present queues. With `container.events.management` RabbitMQ lists all queues.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from amqp.exceptions import ChannelError

from lymph.config.printable import quoted
from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings
from lymph.events.kombu._checks.alarms import refusal
from lymph.events.kombu._checks.links import open_link, rabbitmq
from lymph.events.kombu._rabbitmq.links import RabbitmqLink
from lymph.events.kombu._rabbitmq.management import Management
from lymph.events.kombu._rabbitmq.names import DEFAULT_EXCHANGE, Names
from lymph.events.kombu._rabbitmq.system import RabbitmqEventSystem

__all__ = ['Facts', 'OldQueue', 'OldQueuesCheck', 'former_names', 'old_queue_findings']

#: the exchange of lymph 0.15
_FORMER_EXCHANGE = 'lymph'
_DEAD = 'lymph.dead'
_MOST = 200  # names to try
_TIMEOUT = 5.0  # seconds for a channel
_NAMED = 5  # queues that one finding names


@dataclass(frozen=True)
class OldQueue:
    """A queue that does not belong to this system, and the number of events that wait in it."""

    name: str
    waiting: int


@dataclass
class Facts:
    """The queues without consumers that do not belong to this system.

    `former` are those of lymph 0.15 and earlier versions.
    """

    virtual_host: str = '/'
    former: list[OldQueue] = field(default_factory=list)
    #: whether the exchange of 0.15 exists and its queues could not be listed
    former_exchange: bool = False
    #: queues of other systems, by the exchange that their dead letters go to
    others: dict[str, list[OldQueue]] = field(default_factory=dict)


class OldQueuesCheck(Check):
    """Looks for queues of earlier versions and of other exchanges."""

    about = 'queues of lymph 0.15, earlier versions and other exchanges'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Return a finding for each kind of old queues.

        Raises NotChecked if events do not go through RabbitMQ or it accepts no messages, and
        BrokerError if it cannot be reached or asked.
        """
        return old_queue_findings(_look(rabbitmq(around)))


def old_queue_findings(facts: Facts) -> Iterator[Finding]:
    """Yield a finding for each kind of queues that collect events without a consumer."""
    if facts.former:
        yield Finding(
            'no queues of lymph 0.15 or an earlier version without a consumer',
            _named(facts.former),
            f'when nobody needs what is in them: {_delete(facts, facts.former[0])}',
        )
    if facts.former_exchange:
        yield Finding(
            'nothing of lymph 0.15',
            f'its exchange {quoted(_FORMER_EXCHANGE)}, whose queues AMQP does not list',
            'once nobody runs 0.15, see rabbitmqctl list_bindings and delete the queues bound to '
            'it, then the exchange; container.events.management lets this check list them',
        )
    for exchange, queues in sorted(facts.others.items()):
        system = exchange.removesuffix(_DEAD).rstrip('.') or DEFAULT_EXCHANGE
        yield Finding(
            f'consumers of the queues of the exchange {quoted(system)}',
            _named(queues),
            f'start its services, or, if that system is no more: {_delete(facts, queues[0])}',
        )


def former_names(queue: str) -> Sequence[str]:
    """Return the names that earlier versions gave to a queue.

    `queue` is ``<interface>.<handler>``, or a `queue_name`, which never had another name.
    """
    interface, _, handler = queue.partition('.')
    return [f'{interface}-{handler}', handler] if handler else []


def _named(queues: Sequence[OldQueue]) -> str:
    shown = ', '.join(f'{quoted(each.name)} ({each.waiting} waiting)' for each in queues[:_NAMED])
    return f'{shown} and {len(queues) - _NAMED} more' if len(queues) > _NAMED else shown


def _delete(facts: Facts, queue: OldQueue) -> str:
    host = '' if facts.virtual_host == '/' else f'-p {shlex.quote(facts.virtual_host)} '
    return f'rabbitmqctl {host}delete_queue --if-unused {shlex.quote(queue.name)}'


def _look(events: RabbitmqEventSystem) -> Facts:
    names, management = Names(events.settings.exchange), events.settings.management
    with open_link(events, 'looking for old queues') as link:
        # reading the record of queues also publishes, which would block
        if link.connection is not None and refusal(link.connection) is not None:
            raise NotChecked('RabbitMQ takes nothing that is published; see the check broker')
        own = events.queues.names()
        facts = Facts(link.broker.virtual_host)
        if names.events != _FORMER_EXCHANGE:
            facts.former_exchange = _has_exchange(link, _FORMER_EXCHANGE)
        facts.former = list(_tried(link, names, own))
        facts.others = _of_default_exchange(link, names, own)
    if management is not None:
        _add_listed(facts, management, names, own)
    return facts


def _add_listed(facts: Facts, management: Management, names: Names, own: frozenset[str]) -> None:
    """Add what RabbitMQ's management API lists."""
    idle = {
        name: found
        for name, found in management.read(facts.virtual_host).items()
        if found.consumers == 0 and name not in own
    }
    for name, found in idle.items():
        exchange = found.dead_letter_exchange or ''
        if exchange != names.dead and (exchange == _DEAD or exchange.endswith(f'.{_DEAD}')):
            queue = OldQueue(name, found.waiting or 0)
            listed = facts.others.setdefault(exchange, [])
            if name not in {each.name for each in listed}:
                listed.append(queue)
    if facts.former_exchange:
        known = {each.name for each in facts.former}
        bound = management.bound(facts.virtual_host, _FORMER_EXCHANGE)
        facts.former += [
            OldQueue(name, idle[name].waiting or 0)
            for name in sorted(bound)
            if name in idle and name not in known
        ]
        facts.former_exchange = False  # its queues are listed now


def _tried(link: RabbitmqLink, names: Names, own: frozenset[str]) -> Iterator[OldQueue]:
    """Yield the queues that have names of earlier versions and no consumer."""
    tried = (former for queue in sorted(own) for former in former_names(names.name_of(queue)))
    yield from _idle(link, dict.fromkeys(name for name in tried if name not in own))


def _of_default_exchange(
    link: RabbitmqLink, names: Names, own: frozenset[str]
) -> dict[str, list[OldQueue]]:
    """Return the queues that this system had in the default exchange, by dead-letter exchange."""
    if names.events == DEFAULT_EXCHANGE:
        return {}
    found = list(_idle(link, [names.name_of(queue) for queue in sorted(own)]))
    return {_DEAD: found} if found else {}


def _idle(link: RabbitmqLink, names: Iterable[str]) -> Iterator[OldQueue]:
    for name in islice(names, _MOST):
        with link.channel(_TIMEOUT) as channel:
            try:
                found = channel.queue_declare(name, passive=True)
            except ChannelError:  # it does not exist, or it is exclusive to another connection
                continue
            if not found.consumer_count:
                yield OldQueue(name, found.message_count)


def _has_exchange(link: RabbitmqLink, name: str) -> bool:
    with link.channel(_TIMEOUT) as channel:
        try:
            channel.exchange_declare(name, 'topic', passive=True)
        except ChannelError:
            return False
    return True
