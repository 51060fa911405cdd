"""Instances that stop or start while the registry does not tell callers."""

from __future__ import annotations

import gevent
import pytest

import lymph
from lymph.core.reasons import DRAINING, STARTING
from lymph.core.services import ServiceInstance
from lymph.core.transport.memory import Faults
from lymph.discovery.static import StaticServiceRegistry
from lymph.exceptions import Refused
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self):
        gevent.sleep(0.001)
        return self.container.identity


@pytest.fixture
def instances(world):
    return [world.container((Echo, 'echo'), drain_timeout=1) for _ in range(2)]


@pytest.fixture
def caller(world, instances):
    """A container whose registry never changes."""
    known = [ServiceInstance(one.identity, one.endpoint) for one in instances]
    return world.container(registry=StaticServiceRegistry(services={'echo': known}))


@pytest.fixture
def calls(caller, instances, spawn):
    """Callers that call until both instances have answered and one has stopped."""
    leaver, _ = instances
    answers = []

    def call():
        while not leaver.join(timeout=0):
            answers.append(caller.request('echo', 'echo.echo', timeout=5))

    callers = [spawn(call) for _ in range(10)]
    while len(set(answers)) < 2:
        gevent.sleep(0.001)
    return callers


def test_stop_fails_no_call_of_callers_that_do_not_know_of_it(world, caller, instances, calls):
    world.network.faults = Faults(delay=0.05)  # so that there are always requests on their way
    leaver, stayer = instances
    assert leaver.drain() == 0
    gevent.joinall(calls, raise_error=True)
    assert caller.request('echo', 'echo.echo') == stayer.identity


def test_stopping_instance_gets_no_more_calls(caller, instances):
    leaver, stayer = instances
    leaver._server.refusing = DRAINING

    def is_refused():
        try:
            caller.request('echo', 'echo.echo', retries=0)
        except Refused as error:
            return error.reason

    assert eventually(is_refused) == 'draining'
    for _ in range(50):
        assert caller.request('echo', 'echo.echo', retries=0) == stayer.identity


def test_stopping_instance_is_called_if_it_is_the_only_one(caller, instances):
    for instance in instances:
        instance._server.refusing = DRAINING
    for _ in range(5):
        with pytest.raises(Refused) as caught:
            caller.request('echo', 'echo.echo', retries=0)
        assert caught.value.reason == 'draining'


def refusals(caller):
    """Call once without retries; return the reason of the refusal, None after a result."""
    try:
        caller.request('echo', 'echo.echo', retries=0)
    except Refused as error:
        return [error.reason]
    return []


def test_starting_instance_is_avoided_until_it_has_started(caller, instances):
    starter, stayer = instances
    starter._server.refusing = STARTING
    assert {caller.request('echo', 'echo.echo') for _ in range(20)} == {stayer.identity}
    reasons = [reason for _ in range(50) for reason in refusals(caller)]
    assert len(reasons) < 5  # asked again once a second, at most
    starter._server.refusing = None
    eventually(lambda: caller.request('echo', 'echo.echo', retries=0) == starter.identity)


def test_starting_instance_is_called_if_it_is_the_only_one(caller, instances):
    for instance in instances:
        instance._server.refusing = STARTING
    for _ in range(5):
        assert refusals(caller) == ['starting']
    for instance in instances:
        instance._server.refusing = None
    assert caller.request('echo', 'echo.echo', retries=0)
