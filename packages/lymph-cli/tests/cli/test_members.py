"""The health of instances, derived from their answers."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.cli._running.members import Member, health, oldest
from lymph.core.diagnosis import Answer
from lymph.core.services import ServiceInstance

ANNOUNCED = ServiceInstance('5f1c', 'tcp://127.0.0.1:1', pid=5, started=1000.0)
CONFIGURED = ServiceInstance('abcd', 'tcp://127.0.0.1:1')
REGISTERED = (('echo', ANNOUNCED),)


def answered(status: dict[str, Any]) -> Answer:
    return Answer(REGISTERED, status=status)


@pytest.mark.parametrize(
    ('answer', 'state'),
    [
        (answered({'identity': '5f1c'}), 'ok'),
        (answered({}), 'ok'),
        (answered({'identity': '5f1c', 'draining': True}), 'draining'),
        (answered({'handlers': {'running': 3, 'pool_size': 3}}), 'overloaded'),
        (answered({'handlers': {'running': 2, 'pool_size': 3}}), 'ok'),
        (answered({'handlers': 'all', 'draining': 'no', 'identity': 5}), 'ok'),
        (answered({'identity': 'other', 'draining': True}), 'foreign'),
        (Answer(REGISTERED, error='late', kind='Timeout'), 'silent'),
        (Answer(REGISTERED, error='reset', kind='ConnectionLost'), 'silent'),
        (Answer(REGISTERED, error='Connection refused', kind='NotConnected'), 'unreachable'),
        (Answer(REGISTERED, error='waiting for the ZMTP handshake', kind='NotConnected'), 'silent'),
        (Answer(REGISTERED, error='the peer sent no greeting', kind='NotConnected'), 'foreign'),
        (Answer(REGISTERED, error='whatever', kind='NotConnected'), 'unreachable'),
        (Answer(REGISTERED, error='no method lymph.status', kind='Refused'), 'ok'),
        (Answer(REGISTERED, error='not asked'), None),
    ],
)
def test_health_is_taken_from_the_answer(answer: Answer, state: str | None) -> None:
    assert health(ANNOUNCED, answer) == state


def test_configured_address_has_an_unknown_identity() -> None:
    assert health(CONFIGURED, answered({'identity': '5f1c'})) == 'ok'


@pytest.mark.parametrize(
    ('instance', 'status', 'now', 'age'),
    [
        (ANNOUNCED, {'uptime': 5.0}, 1300.0, 300.0),
        (ANNOUNCED, {}, 900.0, 0.0),  # the clocks differ
        (CONFIGURED, {'uptime': 5.0}, 1300.0, 5.0),
        (CONFIGURED, {'uptime': 'long'}, 1300.0, None),
    ],
)
def test_age_is_taken_from_the_registry_or_the_instance(
    instance: ServiceInstance, status: dict[str, Any], now: float, age: float | None
) -> None:
    member = Member('echo', ('rpc',), instance, answered(status), now)
    assert member.age == age
    assert member.facts()['age'] == age


def test_age_of_several_is_that_of_the_oldest() -> None:
    members = [
        Member('echo', ('rpc',), ServiceInstance('a', 'tcp://a:1', started=started), None, 1000.0)
        for started in (990.0, None, 400.0)
    ]
    assert oldest(members) == '10min'
    assert oldest([]) == ''
