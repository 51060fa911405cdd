"""Figures over time, in rings."""

from __future__ import annotations

from lymph.web._dashboard.history import Figure, History

RATE: Figure = ('services', 'shop', 'rate')
DEAD: Figure = ('queues', 'mail', 'dead')


def test_each_figure_has_a_value_for_each_time() -> None:
    history = History(10, 10)
    history.add(1.0, {RATE: 5.0})
    history.add(3.0, {RATE: None, DEAD: 2})
    history.add(5.0, {DEAD: 3})
    assert history.facts() == {
        'times': [1.0, 3.0, 5.0],
        'services': {'shop': {'rate': [5.0, None, None]}},
        'queues': {'mail': {'dead': [None, 2.0, 3.0]}},
    }


def test_old_samples_are_forgotten_and_figures_that_have_none_left_too() -> None:
    history = History(2, 10)
    history.add(1.0, {RATE: 5.0})
    for time in (2.0, 3.0):
        history.add(time, {DEAD: time})
    assert history.facts() == {'times': [2.0, 3.0], 'queues': {'mail': {'dead': [2.0, 3.0]}}}
    assert len(history) == 1


def test_figures_are_bounded_and_a_place_becomes_free_again() -> None:
    history = History(1, 1)
    history.add(1.0, {RATE: 1.0})
    history.add(2.0, {RATE: 2.0, DEAD: 1.0})
    assert history.facts() == {'times': [2.0], 'services': {'shop': {'rate': [2.0]}}}
    history.add(3.0, {DEAD: 1.0})
    history.add(4.0, {DEAD: 4.0})
    assert history.facts() == {'times': [4.0], 'queues': {'mail': {'dead': [4.0]}}}


def test_what_was_never_known_takes_no_place() -> None:
    history = History(5, 5)
    history.add(1.0, {RATE: None})
    assert (len(history), history.facts()) == (0, {'times': [1.0]})


def test_many_samples_are_thinned_evenly_and_the_last_one_is_sent() -> None:
    history = History(100, 10)
    for number in range(10):
        history.add(float(number), {RATE: float(number)})
    facts = history.facts(most=4)
    assert facts['times'] == facts['services']['shop']['rate'] == [0.0, 3.0, 6.0, 9.0]
