"""A queue exists with other arguments: the advice depends on the argument and loses no queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import amqp
import pytest

from lymph.events.base import Subscription
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._rabbitmq.mismatches import advice
from lymph.exceptions import SubscriptionError

ELSEWHERE = 'give the handler another name or queue_name; a system that is new here can have'
WHEN_EMPTY = 'delete_queue --if-empty --if-unused'
CLASSIC = {'x-queue-type': 'classic'}
STREAM = {'x-queue-type': 'stream', 'x-max-length-bytes': 500}


@pytest.fixture
def channels(bench: Any) -> Iterator[Callable[[], amqp.Channel]]:
    """Channels of another program."""
    connection = amqp.Connection(bench.server.address)
    connection.connect()
    yield connection.channel
    connection.close()


@pytest.mark.parametrize(
    ('arguments', 'flags', 'told', 'not_told'),
    [
        ({'x-dead-letter-exchange': 'eu.lymph.dead'}, {}, "to 'eu.lymph.dead'", 'rabbitmqctl'),
        ({'x-dead-letter-exchange': None}, {}, 'such as lymph 0.15', 'rabbitmqctl'),
        ({'x-dead-letter-routing-key': 'other'}, {}, 'another program', 'rabbitmqctl'),
        ({'x-expires': 60000}, {}, 'that ends when it is not used', 'rabbitmqctl'),
        ({'x-message-ttl': 60000}, {}, 'that drops events after some time', 'rabbitmqctl'),
        (CLASSIC, {'durable': False}, 'that does not outlive its broker', 'rabbitmqctl'),
        (CLASSIC, {'auto_delete': True}, 'that ends with its last consumer', 'rabbitmqctl'),
        (CLASSIC, {'exclusive': True}, 'of one connection', 'rabbitmqctl'),
        ({'x-queue-type': 'stream'}, {}, "'stream', so not one of lymph", 'rabbitmqctl'),
        (STREAM, {}, 'set max-length-bytes by a policy', 'rabbitmqctl delete'),
        (CLASSIC, {}, 'queue_type to classic', 'virtual host'),
        ({'x-max-length': 5}, {}, 'set max-length by a policy', 'queue_type'),
        ({'x-max-length-bytes': 500}, {}, 'set max-length-bytes by a policy', 'rabbitmqctl delete'),
        (
            {'x-single-active-consumer': True},
            {},
            'the handler is serial in one version',
            'queue_type',
        ),
        ({'x-delivery-limit': 3}, {}, 'another version of lymph', 'queue_type'),
    ],
)
def test_advice_depends_on_the_argument_that_differs(
    bench: Any,
    channels: Any,
    arguments: dict[str, Any],
    flags: dict[str, bool],
    told: str,
    not_told: str,
) -> None:
    system = bench.start()
    channels().queue_declare(
        bench.name,
        arguments=_arguments(bench.name, arguments),
        **{'durable': True, 'auto_delete': False, **flags},
    )
    with pytest.raises(SubscriptionError) as failure:
        bench.subscribe(system, print)
    text = str(failure.value)
    assert f"expected the queue '{bench.name}' as lymph declares it" in text
    assert told in text
    assert not_told not in text
    assert ('delete_queue' in text) == (WHEN_EMPTY in text)
    assert (ELSEWHERE in text) != (WHEN_EMPTY in text)
    # nothing else suffers
    system.subscribe(Subscription(f'{bench.name}.other', (bench.topic,), print))
    bench.emit(system)


def _arguments(name: str, changed: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a queue that differs from one of lymph's in what is `changed`."""
    arguments = {'x-dead-letter-exchange': 'lymph.dead', 'x-dead-letter-routing-key': name}
    if changed.get('x-queue-type') == 'stream':
        return changed
    if 'x-queue-type' not in changed:
        arguments |= {
            'x-queue-type': 'quorum',
            'x-delivery-limit': 10,
            'x-dead-letter-strategy': 'at-least-once',
            'x-overflow': 'reject-publish',
        }
    arguments |= changed
    if arguments['x-dead-letter-exchange'] is None:
        del arguments['x-dead-letter-exchange'], arguments['x-dead-letter-routing-key']
    return {key: value for key, value in arguments.items() if value is not None}


@pytest.mark.parametrize('kind', ['classic', 'quorum'])
def test_error_about_the_queue_type_names_the_existing_type(bench: Any, kind: str) -> None:
    types = {'quorum', 'classic'} - {kind}
    there = bench.start(queue_type=kind, exchange=bench.name)
    there.unsubscribe(bench.subscribe(there, print))
    with pytest.raises(BrokerError, match=f'container.events.queue_type to {kind}') as failure:
        bench.start(queue_type=types.pop(), exchange=bench.name)
    assert f"the queue '{bench.name}.lymph.dead'" in str(failure.value)


def test_different_queue_in_place_of_the_dead_letters_is_an_error_at_the_start(
    bench: Any, channels: Any
) -> None:
    arguments = {'x-queue-type': 'quorum', 'x-expires': 60000}
    channels().queue_declare(
        f'{bench.name}.lymph.dead', durable=True, auto_delete=False, arguments=arguments
    )
    with pytest.raises(BrokerError, match=r'give this system a container\.events\.exchange'):
        bench.start(exchange=bench.name)


def refusal(argument: str) -> str:
    """Return RabbitMQ's error for a queue with an argument that is declared without it."""
    return (
        f"PRECONDITION_FAILED - inequivalent arg '{argument}' for queue 'a; b' in vhost 'my host': "
        "received none but current is the value '5' of type 'signedint'"
    )


def test_command_in_the_advice_can_be_pasted_into_a_shell() -> None:
    command = "rabbitmqctl -p 'my host' delete_queue --if-empty --if-unused 'a; b'"
    assert advice('a; b', 'quorum', refusal('x-max-length')).endswith(command)


@pytest.mark.parametrize('argument', ['x-consumer-timeout', 'x-max-length-bytes', 'x-new'])
def test_deletion_is_not_advised_if_dead_letters_may_go_elsewhere(argument: str) -> None:
    text = advice('a; b', 'quorum', refusal(argument))
    assert text.startswith(f'set {argument[2:]} by a policy')
    assert ELSEWHERE in text
    assert 'delete' not in text
