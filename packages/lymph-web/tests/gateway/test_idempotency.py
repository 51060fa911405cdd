"""Requests that are repeated with the same Idempotency-Key."""

from __future__ import annotations

import gevent
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from lymph.testing.waiting import eventually
from lymph.web._gateway.idempotency import IdempotencySettings, KeptAnswer, Outcomes
from lymph.web._gateway.problems import CallProblem

KEY = {'Idempotency-Key': '"8e03978e"'}


def test_repeated_request_gets_the_same_answer_and_the_method_runs_once(world):
    shop = world.shop()
    asking = world.gateway('shop.*')
    first = asking.post('shop/order', {'article': 'sock'}, headers=KEY)
    again = asking.post('shop/order', {'article': 'sock'}, headers=KEY)
    assert (first.json, again.json, shop.calls) == (1, 1, ['sock'])
    assert 'Idempotency-Replayed' not in first.headers
    assert again.headers['Idempotency-Replayed'] == 'true'
    assert again.mimetype == 'application/json'


@pytest.mark.parametrize('path', ['shop/fail', 'shop/nan'])
def test_failure_of_a_method_that_ran_is_repeated_as_well(world, path):
    shop = world.shop()
    asking = world.gateway('shop.*')
    problems = [asking.problem(path, headers=KEY) for _ in range(2)]
    assert problems[0].members == problems[1].members
    assert len(shop.calls) == 1


def test_request_whose_method_did_not_run_can_be_repeated(world):
    asking = world.gateway('shop.*')
    assert asking.problem('shop/order', {'article': 'sock'}, headers=KEY).facts[0] == 503
    world.shop()
    assert asking.problem('shop/order', {'artcle': 'sock'}, headers=KEY).facts[0] == 400
    assert asking.post('shop/order', {'article': 'sock'}, headers=KEY).json == 1


def test_request_that_timed_out_is_not_made_again(world):
    shop = world.shop()
    asking = world.gateway('shop.*', timeout=0.02)
    problems = [asking.problem('shop/hang', headers=KEY) for _ in range(2)]
    assert [problem.facts for problem in problems] == [(504, 'timeout', True)] * 2
    assert shop.calls == ['hang']


def test_second_request_while_the_first_one_runs_is_a_conflict(world):
    shop = world.shop()
    asking = world.gateway('shop.*')
    first = gevent.spawn(asking.post, 'shop/hang', headers=KEY)
    assert shop.entered.wait(10)
    problem = asking.problem('shop/hang', headers=KEY)
    assert problem.facts == (409, 'still_running', True)
    assert problem.headers['Retry-After'] == '1'
    shop.go_on.set()
    assert first.get().json == asking.post('shop/hang', headers=KEY).json == 'done'


def test_call_that_was_cut_short_is_not_made_again(world):
    shop = world.shop()
    asking = world.gateway('shop.*')
    first = gevent.spawn(asking.post, 'shop/hang', headers=KEY)
    assert shop.entered.wait(10)
    first.kill()
    eventually(lambda: asking.problem('shop/hang', headers=KEY).facts[1] == 'outcome_lost')
    assert shop.calls == ['hang']


def test_key_of_another_request_is_refused(world):
    world.shop()
    asking = world.gateway('shop.*')
    asking.post('shop/order', {'article': 'sock'}, headers=KEY)
    for path in ('shop/order', 'shop/order?version=1', 'shop/echo'):
        problem = asking.problem(path, {'article': 'shoe'}, headers=KEY)
        assert problem.facts == (422, 'key_reused', False)


def test_clients_do_not_share_keys(world):
    shop = world.shop()
    asking = world.gateway('shop.*')
    for name in ('one', 'two'):
        asking.post('shop/order', {'article': 'sock'}, headers={**KEY, 'Authorization': name})
    assert len(shop.calls) == 2


@pytest.mark.parametrize('key', ['', '""', '"', '"a', 'a b', 'a,b', '"' + 'x' * 256 + '"', '"ü"'])
def test_malformed_key_is_refused(world, key):
    world.shop()
    problem = world.gateway('shop.*').problem('shop/echo', headers={'Idempotency-Key': key})
    assert problem.facts == (400, 'malformed', False)


def test_key_without_quotes_is_the_same_key(world):
    shop = world.shop()
    asking = world.gateway('shop.*')
    for key in ('a-1', '"a-1"'):
        asking.post('shop/order', {'article': 'sock'}, headers={'Idempotency-Key': key})
    assert len(shop.calls) == 1


def test_answer_that_is_too_large_to_be_kept_is_lost_and_not_made_again(world):
    shop = world.shop()
    asking = world.gateway('shop.*', idempotency={'size': 10})
    asking.post('shop/order', {'article': 'sock'}, headers=KEY)
    problem = asking.problem('shop/order', {'article': 'sock'}, headers=KEY)
    assert problem.facts == (409, 'outcome_lost', True)
    assert shop.calls == ['sock']


SETTINGS = IdempotencySettings(keys=4, size=3 * 600, seconds=10)
KEYS = st.sampled_from([bytes([n]) for n in range(6)])


class Table(RuleBasedStateMachine):
    """Random requests, compared with a table that forgets nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.outcomes = Outcomes(SETTINGS)
        self.now = 0.0
        self.running: dict[bytes, float] = {}
        self.ended: dict[bytes, tuple[float, KeptAnswer | None]] = {}

    @rule(key=KEYS)
    def request(self, key: bytes) -> None:
        try:
            found = self.outcomes.begin(key, b'digest', self.now)
        except CallProblem as problem:
            if problem.status == 503:
                assert len(self.running) == SETTINGS.keys
            elif problem.reason == 'still_running':
                assert key in self.running
            else:
                assert key in self.ended
            return
        if found is None:
            assert key not in self.running
            self.ended.pop(key, None)
            self.running[key] = self.now
        else:
            began, answer = self.ended[key]
            assert found is answer
            assert began + SETTINGS.seconds > self.now

    @rule(key=KEYS, size=st.integers(0, 2500), ran=st.booleans(), known=st.booleans())
    def end(self, key: bytes, size: int, ran: bool, known: bool) -> None:
        if key in self.running:
            began = self.running.pop(key)
            if ran:
                answer = KeptAnswer(200, (), bytes(size)) if known else None
                self.ended[key] = began, answer
                self.outcomes.end(key, answer)
            else:
                self.outcomes.forget(key)

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def is_bounded(self) -> None:
        assert len(self.outcomes) <= SETTINGS.keys
        kept = self.outcomes._answers.values()
        assert self.outcomes._size == sum(each.size for each in kept) <= SETTINGS.size


def test_keys_and_answers_are_bounded_and_the_oldest_are_dropped_first():
    steps = settings(max_examples=40, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(Table, settings=steps)
