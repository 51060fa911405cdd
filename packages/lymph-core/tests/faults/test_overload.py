"""An instance whose handlers are all busy refuses further calls, and others serve them."""

from __future__ import annotations

import pytest

from lymph.exceptions import Refused
from lymph.testing.waiting import eventually


def test_overloaded_instance_refuses_calls_as_not_executed(start, client, begin):
    (instance,) = start(pool_size=2)
    running = [begin(instance.endpoint, 'do', token=n, seconds=1) for n in range(2)]
    eventually(lambda: in_flight(client) == 2)
    with pytest.raises(Refused, match='all 2 handlers are busy') as caught:
        client.request(instance.endpoint, 'work.do', token=3)
    assert (caught.value.reason, caught.value.executed) == ('overloaded', 'no')
    assert [call.get()[1] for call in running] == [0, 1]
    assert client.request(instance.endpoint, 'work.do', token=4) == [instance.pid, 4]


def test_calls_refused_by_an_overloaded_instance_are_served_by_others(
    start, make_client, ask, begin, client
):
    full, other = start(1, pool_size=2) + start(1)
    running = [begin(full.endpoint, 'do', token=n, seconds=1) for n in range(2)]
    eventually(lambda: in_flight(client) == 2)
    callers = [make_client() for _ in range(10)]  # none of them knows how busy the other is
    for caller in callers:
        assert caller.request('work', 'work.do', token=1) == [other.pid, 1]
    assert [call.get()[0] for call in running] == [full.pid] * 2
    assert ask(full, 'history')['most'] == 2


def test_number_of_running_handlers_never_exceeds_the_pool_size(start, make_client, load, ask):
    instances = start(2, pool_size=2)
    calls = [load(10, make_client(), seconds=0.01) for _ in range(4)]
    for some in calls:
        some.go_on(300)
    for some in calls:
        some.end()
    outcomes = [outcome for some in calls for outcome in some.outcomes]
    assert {o.kind for o in outcomes} == {None, ('Refused', 'no')}
    assert {o.error.reason for o in outcomes if o.error} == {'overloaded'}
    for instance in instances:
        assert ask(instance, 'history')['most'] == 2
        assert ask(instance, 'census')['handlers'] == 1


def in_flight(client):
    return sum(link['pending'] for link in client.container.rpc.stats()['connections'])
