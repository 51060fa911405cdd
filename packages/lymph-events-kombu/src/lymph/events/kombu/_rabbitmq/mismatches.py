"""The advice for a queue that exists with other arguments, based on the argument that differs.

RabbitMQ names one argument: the first that differs, in an order that depends on the type of the
queue (`queue_arguments` in its modules). In all these orders, the arguments for dead letters come
before the type and most limits. So a queue that differs in its type or one of these limits sends
its dead letters to this system, and belongs to it. Any other queue may belong to another program,
so the advice is never to delete it.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from lymph.config.printable import quoted
from lymph.events.kombu._connecting.settings import is_exchange

__all__ = ['advice']

_DIFFERENCE = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)'.* in vhost '(?P<vhost>.*)': "
    r'received (?P<received>.*) but current is (?P<current>.*)',
    re.DOTALL,
)
_VALUE = re.compile(r"(?:the value )?'(.*)'(?: of type '[^']*')?", re.DOTALL)
_TYPES = ('quorum', 'classic')
_OF_A_TYPE = ('x-dead-letter-strategy', 'x-delivery-limit', 'x-overflow', 'x-queue-type')
# compared after the arguments for dead letters; streams compare their limit of bytes first
_COMPARED_LATER = (
    'x-max-in-memory-bytes',
    'x-max-in-memory-length',
    'x-max-length',
    'x-max-priority',
    'x-queue-leader-locator',
    'x-queue-mode',
    'x-queue-version',
    'x-quorum-initial-group-size',
)
_FOREIGN = {
    'durable': 'that does not outlive its broker',
    'auto_delete': 'that ends with its last consumer',
    'exclusive': 'of one connection alone',
    'x-expires': 'that ends when it is not used',
    'x-message-ttl': 'that drops events after some time',
}
_OWN_PLACE = 'a container.events.exchange or a virtual host of its own'


@dataclass(frozen=True)
class _Difference:
    """The argument that differs, with both values; None for one that is not set."""

    argument: str
    vhost: str
    received: str | None
    current: str | None


def advice(queue: str, queue_type: str, text: str) -> str:
    """Return the advice, part of a sentence, for `queue`, which was declared as `queue_type`.

    `text` is the broker's text of PRECONDITION_FAILED or RESOURCE_LOCKED.
    """
    found = _DIFFERENCE.search(text)
    # RESOURCE_LOCKED names no argument: another connection has the queue for itself.
    if found is None:
        return f'it is a queue of one connection of another program: {_elsewhere(queue)}'
    difference = _Difference(
        found['argument'], found['vhost'], _value(found['received']), _value(found['current'])
    )
    if difference.argument in ('x-dead-letter-exchange', 'x-dead-letter-routing-key'):
        return f'{_owner(difference)}: {_elsewhere(queue)}'
    if difference.argument in _FOREIGN:
        kind = _FOREIGN[difference.argument]
        return f'it is a queue {kind}, so not one of lymph: {_elsewhere(queue)}'
    if difference.argument in _OF_A_TYPE:
        return _of_another_type(queue, queue_type, difference)
    if difference.argument == 'x-single-active-consumer':
        return (
            'the handler is serial in one version of the service and not in another: '
            f'give the new one another name or queue_name; {_when_empty(queue, difference)}'
        )
    # RabbitMQ compares these after the arguments for dead letters, so those are ours.
    is_ours = difference.argument in _COMPARED_LATER
    way_out = _when_empty(queue, difference) if is_ours else _elsewhere(queue)
    return (
        f'set {difference.argument.removeprefix("x-")} by a policy (rabbitmqctl set_policy), which '
        f'is no part of the declaration; {way_out}'
    )


def _elsewhere(queue: str) -> str:
    if not is_exchange(queue):  # it is lymph's queue for dead letters, delays or records
        return f'give this system {_OWN_PLACE}'
    handler = 'give the handler another name or queue_name'
    return f'{handler}; a system that is new here can have {_OWN_PLACE}'


def _owner(difference: _Difference) -> str:
    if difference.argument == 'x-dead-letter-exchange' and difference.current:
        return (
            f'it belongs to another system, whose dead letters go to {quoted(difference.current)}'
        )
    return 'it belongs to another program, such as lymph 0.15'


def _of_another_type(queue: str, queue_type: str, difference: _Difference) -> str:
    other = difference.current if difference.argument == 'x-queue-type' else None
    if other is not None and other not in _TYPES:
        return f'it is of the type {quoted(other)}, so not one of lymph: {_elsewhere(queue)}'
    if None not in (difference.received, difference.current) and other is None:
        return f'another version of lymph declared it; {_when_empty(queue, difference)}'
    other = _TYPES[queue_type == _TYPES[0]]
    return (
        f'set container.events.queue_type to {other}, which it seems to be; to change the type, '
        f'let its consumers empty it; {_when_empty(queue, difference)}'
    )


def _when_empty(queue: str, difference: _Difference) -> str:
    vhost = '' if difference.vhost == '/' else f'-p {shlex.quote(difference.vhost)} '
    name = shlex.quote(queue)
    return (
        'once it is empty and nobody consumes it, remove it with '
        f'rabbitmqctl {vhost}delete_queue --if-empty --if-unused {name}'
    )


def _value(text: str) -> str | None:
    found = _VALUE.fullmatch(text.strip())
    return None if found is None else found[1]
