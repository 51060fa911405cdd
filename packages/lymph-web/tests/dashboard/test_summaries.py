"""What pages are told of services, and of how they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lymph.core.monitoring.overview import InstanceState, Load, MethodLoad, ServiceState, Snapshot
from lymph.events.queues import QueueState
from lymph.web._dashboard.summaries import figures, health_of, service_facts, snapshot_facts


@pytest.mark.parametrize(
    ('states', 'health'),
    [
        (['up', 'up'], 'good'),
        (['up', 'not asked'], 'good'),
        (['up', 'silent'], 'worse'),
        (['up', 'draining'], 'worse'),
        (['silent'], 'bad'),
        (['starting', 'foreign'], 'bad'),
        (['not asked'], 'unknown'),
        ([], 'unknown'),
    ],
)
def test_health_of_a_service(states: list[str], health: str) -> None:
    assert health_of(states) == health


def service(**facts: Any) -> ServiceState:
    return ServiceState('shop', instances=(InstanceState('me', 'tcp://1', status='up'),), **facts)


def test_work_of_all_kinds_is_added_and_times_are_those_of_the_most_frequent() -> None:
    state = service(
        calls=Load(rate=1.0, errors=0.5, running=1, p99=9.0),
        http=Load(rate=3.0, errors=0.5, running=2, p99=0.1),
    )
    [shop] = snapshot_facts(Snapshot(0, services=(state,)))['services']
    assert (shop['rate'], shop['errors'], shop['running'], shop['p99']) == (4.0, 1.0, 3, 0.1)
    assert shop['error_share'] == 0.25


def test_what_is_not_known_stays_unknown() -> None:
    [shop] = snapshot_facts(Snapshot(0, services=(service(),)))['services']
    assert [shop[name] for name in ('rate', 'errors', 'error_share', 'p99')] == [None] * 4


def test_everything_is_json_and_bounded() -> None:
    methods = tuple(MethodLoad(f'shop.m{n}', Load(rate=1.0), ((None, 1),)) for n in range(600))
    instances = tuple(InstanceState(str(n), 'tcp://1') for n in range(600))
    state = ServiceState('shop', instances=instances, methods=methods)
    services = tuple(ServiceState(str(n)) for n in range(500))
    queues = tuple(QueueState(str(n), waiting=1) for n in range(500))
    whole = snapshot_facts(Snapshot(0, services=services, queues=queues))
    assert (len(whole['services']), whole['services_left_out']) == (400, 100)
    assert (len(whole['queues']), whole['queues_left_out']) == (400, 100)
    facts = service_facts(state)
    assert (len(facts['members']), facts['members_left_out']) == (500, 100)
    assert len(facts['methods']) == 500
    json.dumps([whole, facts], allow_nan=False)


def test_figures_for_charts_are_those_of_services_and_queues() -> None:
    snapshot = Snapshot(
        0,
        services=(service(calls=Load(rate=2.0), memory=5.0),),
        queues=(QueueState('mail', waiting=7),),
    )
    found = figures(snapshot)
    assert found['services', 'shop', 'rate'] == 2.0
    assert found['services', 'shop', 'memory'] == 5.0
    assert found['queues', 'mail', 'waiting'] == 7
    assert found['queues', 'mail', 'dead'] is None
