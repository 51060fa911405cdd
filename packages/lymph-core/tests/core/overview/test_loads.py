from __future__ import annotations

from math import inf

import pytest

from lymph.core._overview.data import Load
from lymph.core._overview.loads import (
    CALLS,
    EVENTS,
    HTTP_REQUESTS,
    Between,
    Measured,
    load_of,
    method_load,
    spread,
    together,
)
from lymph.core._overview.samples import read_figures

PRICE = {'method': 'shop.price'}


def answer(handled=0, failed=0, seconds=0.0, running=0, refused=None, buckets=()):
    samples = [
        ['rpc.handled', handled, PRICE],
        ['rpc.failed', failed, PRICE],
        ['rpc.seconds', seconds, PRICE],
        ['rpc.running', running, PRICE],
        *(['rpc.duration.bucket', count, {**PRICE, 'le': str(le)}] for le, count in buckets),
    ]
    if refused is not None:
        samples.append(['rpc.refused', refused, {**PRICE, 'reason': 'overloaded'}])
    return read_figures(samples)


def load(before, after, seconds=2.0):
    return load_of(spread(Between(before, after, seconds), CALLS)['shop.price'])


def test_rates_are_differences_per_second():
    before = answer(handled=10, failed=1, seconds=1.0)
    after = answer(handled=16, failed=3, seconds=5.0, running=2, refused=4)
    assert load(before, after) == Load(
        rate=4.0,
        errors=1.0,
        error_share=0.25,
        refused=2.0,
        running=2,
        mean=0.5,
        total=19,
    )


def test_the_first_answer_has_no_rates():
    assert load(None, answer(handled=10, running=1)) == Load(running=1, total=10)


def test_counters_that_have_begun_again_have_no_rates():
    after = answer(handled=3, failed=1, seconds=0.5)
    assert load(answer(handled=10, failed=3, seconds=1.0), after) == Load(
        running=0, total=4, refused=0
    )


def test_work_that_is_not_done_has_no_shares():
    found = load(answer(), answer())
    assert (found.rate, found.errors, found.error_share, found.mean) == (0, 0, None, None)


def test_answers_at_the_same_moment_have_no_rates():
    assert load(answer(), answer(handled=5), seconds=0.0).rate is None


def test_quantiles_are_those_of_the_values_between_two_answers():
    before = answer(buckets=[('0.001', 100), ('0.01', 100), ('+Inf', 100)])
    after = answer(buckets=[('0.001', 100), ('0.01', 110), ('+Inf', 110)])
    found = load(before, after)
    assert 0.001 <= found.p50 <= found.p99 <= 0.01


@pytest.mark.parametrize(
    'before',
    [
        [('0.001', 5), ('0.01', 5), ('+Inf', 500)],  # has begun again
        [('0.001', 0), ('0.01', 9), ('+Inf', 3)],  # not cumulative
    ],
)
def test_buckets_that_sink_have_no_quantiles(before):
    after = answer(buckets=[('0.001', 5), ('0.01', 6), ('+Inf', 7)])
    assert load(answer(buckets=before), after).p99 is None


def test_a_method_has_the_values_of_each_bucket_alone():
    before = answer(buckets=[('0.001', 1), ('+Inf', 1)])
    after = answer(buckets=[('0.001', 3), ('+Inf', 7)])
    measured = spread(Between(before, after, 1.0), CALLS)['shop.price']
    found = method_load('shop.price', measured)
    assert found.buckets == ((0.001, 2), (None, 4))


def test_several_are_added_up():
    fast = Measured(rate=9.0, errors=0.0, running=1, ended=9, spent=0.9, buckets={0.1: 9})
    slow = Measured(rate=1.0, errors=1.0, running=1, ended=1, spent=2.1, buckets={0.1: 0, inf: 1})
    found = load_of(together([fast, slow, Measured()]))
    assert found == Load(
        rate=10.0,
        errors=1.0,
        error_share=0.1,
        running=2,
        mean=pytest.approx(0.3),
        p50=pytest.approx(0.1 * 5 / 9),
        p99=0.1,
    )


def test_the_sum_of_nothing_known_is_not_known():
    assert together([Measured(), Measured()]) == Measured()
    assert together([]) == Measured()


def test_http_errors_are_those_of_the_server():
    def http(good, bad):
        tags = {'interface': 'web'}
        return read_figures(
            [
                ['http.answered', good, {**tags, 'status': '404'}],
                ['http.answered', bad, {**tags, 'status': '502'}],
                ['http.seconds', 1.0, tags],
                ['http.running', 3, tags],
                ['http.refused', 0, tags],
            ]
        )

    found = load_of(spread(Between(http(0, 0), http(3, 1), 1.0), HTTP_REQUESTS)['web'])
    assert (found.rate, found.errors, found.error_share, found.running) == (4.0, 1.0, 0.25, 3)


def test_an_http_interface_that_has_answered_nothing_has_a_rate():
    quiet = read_figures([['http.seconds', 0.0, {'interface': 'web'}]])
    found = load_of(spread(Between(quiet, quiet, 1.0), HTTP_REQUESTS)['web'])
    assert (found.rate, found.errors, found.total) == (0, 0, 0)


def test_events_have_no_refusals():
    tags = {'queue': 'shop.on_paid'}
    before = read_figures([['events.handled', 1, tags], ['events.failed', 0, tags]])
    after = read_figures([['events.handled', 2, tags], ['events.failed', 2, tags]])
    found = load_of(spread(Between(before, after, 1.0), EVENTS)['shop.on_paid'])
    assert (found.rate, found.errors, found.refused) == (3.0, 2.0, None)
