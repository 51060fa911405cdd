"""Snapshots to look at."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.core.monitoring.overview import (
    BackendState,
    InstanceState,
    Load,
    MethodLoad,
    QueueState,
    ServiceState,
    Snapshot,
)


def load(rate: float | None, p99: float | None = 0.02, errors: float = 0.0) -> Load:
    if rate is None:
        return Load(total=0)
    return Load(
        rate=rate,
        errors=rate * errors,
        error_share=errors,
        refused=0.0,
        running=1,
        mean=0.01,
        p50=0.005,
        p99=p99,
        total=100,
    )


def instance(number: int, rate: float | None = 1.0, **facts: Any) -> InstanceState:
    facts = {'status': 'up', 'hostname': 'host', 'memory': 50e6, 'cpu': 0.1, **facts}
    endpoint = f'tcp://127.0.0.1:{4000 + number}'
    return InstanceState(f'{number:016x}', endpoint, calls=load(rate), **facts)


def service(name: str, rate: float | None, *instances: InstanceState, **facts: Any) -> ServiceState:
    buckets = ((0.001, 0), (0.0025, 60), (0.005, 30), (0.01, 0), (0.025, 10), (None, 0))
    methods = (
        MethodLoad(f'{name}.price', load(rate), buckets),
        MethodLoad(f'{name}.pay', load(rate and rate / 2, 0.5)),
    )
    return ServiceState(
        name,
        ('rpc',),
        (),
        sum(each.status == 'up' for each in instances),
        instances,
        **{'calls': load(rate), 'methods': methods, 'memory': 100e6, **facts},
    )


@pytest.fixture
def snapshot() -> Snapshot:
    """Three services with instances, and two queues."""
    return Snapshot(
        1_700_000_000.0,
        2.0,
        (
            service(
                'mail',
                50.0,
                instance(1),
                instance(2, status='silent', since=1_699_999_988.0, problem='no reply'),
            ),
            service('shop', 200.0, instance(3, 150.0), instance(4, 50.0)),
            service('web', None, instance(5, None)),
        ),
        (
            QueueState('mail.on_paid', waiting=7, oldest=90.0, consumers=0, dead=2),
            QueueState('shop.on_order', waiting=0, consumers=3, dead=0),
        ),
        BackendState('the registry', True, 1_699_999_000.0),
        BackendState('kombu', False, 1_699_999_990.0, 'amqp://broker', 'connection refused'),
    )
