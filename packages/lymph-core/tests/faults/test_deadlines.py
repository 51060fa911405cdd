"""No handler starts after the deadline of its call, across any number of services."""

from __future__ import annotations

import pytest

from lymph.core.messages import NACK, REP, REQ, Message
from lymph.exceptions import Timeout
from lymph.testing.waiting import eventually


@pytest.fixture
def chain(start):
    """Start three services in three processes."""
    return dict(zip('abc', start(services='abc'), strict=True))


def budgets(ask, chain, name):
    return ask(chain[name], 'history')['budgets']


def test_each_service_of_a_chain_gets_the_remaining_time_of_its_caller(chain, client, ask):
    client.request('a', 'a.relay', path=['b', 'c'], pause=0.1, timeout=5)
    (first,), (second,), (third,) = (budgets(ask, chain, name) for name in 'abc')
    assert 5 >= first > second > third > 0


def test_expired_call_reaches_no_further_service(chain, client, ask):
    with pytest.raises(Timeout) as caught:
        client.request('a', 'a.relay', path=['b', 'c'], pause=0.6, timeout=1)
    assert caught.value.executed == 'maybe'
    for name in 'ab':
        eventually(lambda name=name: quiet(client, chain[name]))
    (first,), (second,) = budgets(ask, chain, 'a'), budgets(ask, chain, 'b')
    assert 1 >= first > second > 0
    assert budgets(ask, chain, 'c') == []
    assert 'no time left for the call' in chain['b'].log.read_text()


def test_expired_request_is_refused_and_not_executed(start, client, ask):
    (instance,) = start()

    def answer(left):
        request = Message(REQ, 'work.relay', {'path': [], 'pause': 0}, {'timeout': left})
        return client.container.send_message(instance.endpoint, request).get(timeout=10)

    for left in (-1, 0):
        refusal = answer(left)
        assert (refusal.type, refusal.headers) == (NACK, {'reason': 'expired'})
    assert ask(instance, 'history')['budgets'] == []
    assert answer(30).type == REP
    assert len(ask(instance, 'history')['budgets']) == 1


def test_no_handler_starts_after_its_deadline_under_overload(chain, client, ask, begin):
    calls = [begin('a', 'relay', path=['b', 'c'], pause=0.05, timeout=0.14) for _ in range(100)]
    eventually(lambda: all(call.ready() for call in calls))
    for name in 'abc':
        eventually(lambda name=name: quiet(client, chain[name]))
        assert all(budget > 0 for budget in budgets(ask, chain, name))
    for call in calls:
        assert call.exception is None or isinstance(call.exception, Timeout)


def quiet(client, instance):
    """Return whether no handler is running."""
    return client.request(instance.endpoint, 'lymph.status')['handlers']['running'] == 0
