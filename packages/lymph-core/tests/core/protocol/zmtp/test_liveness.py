from __future__ import annotations

import pytest

from lymph.core._protocol.zmtp.liveness import Liveness


@pytest.mark.parametrize(
    ('interval', 'limit', 'tick'),
    [(10, 30, 2.5), (10, 300, 2.5), (10, 3, 0.25), (0.1, 30, 0.025)],
)
def test_checks_are_frequent_enough_for_three_pings_before_the_limit(interval, limit, tick):
    liveness = Liveness(interval, limit)
    assert liveness.tick == pytest.approx(tick)
    asked = 0
    for looks in range(1, 100_000):
        if liveness.verdict(looks, asked=True, ttl=None):
            break
        asked += liveness.question_due(looks)
    assert asked >= 2
    assert limit <= looks * liveness.tick < limit + liveness.tick


def test_peer_that_does_not_answer_pings_may_be_silent_for_ever():
    assert Liveness(10, 30).verdict(10_000, asked=False, ttl=None) is None


@pytest.mark.parametrize(('ttl', 'looks'), [(0.1, 1), (2.5, 1), (2.6, 2), (25, 10), (29.9, 12)])
def test_a_peer_may_have_a_limit_of_its_own(ttl, looks):
    liveness = Liveness(10, 30)
    assert liveness.verdict(looks - 1, asked=True, ttl=ttl) is None
    assert f'{ttl:g} s, its own limit' in liveness.verdict(looks, asked=False, ttl=ttl)


def test_limit_of_this_side_takes_precedence():
    assert Liveness(10, 30).verdict(12, asked=True, ttl=100) == 'the peer has been silent for 30 s'


@pytest.mark.parametrize(('interval', 'limit'), [(0, 1), (1, 0), (-1, 1)])
def test_times_are_positive(interval, limit):
    with pytest.raises(ValueError, match='expected seconds above 0'):
        Liveness(interval, limit)
