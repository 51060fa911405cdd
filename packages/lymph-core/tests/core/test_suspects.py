"""How often and when a suspected owner is checked."""

from __future__ import annotations

from lymph.core._system.suspects import CHECKS, FIRST_INTERVAL, Suspects


def test_no_owner_is_checked_without_a_suspicion():
    suspects = Suspects()
    assert suspects.interval() is None
    assert suspects.current() == frozenset()


def test_a_suspect_is_checked_at_once_and_then_at_growing_intervals():
    suspects = Suspects()
    suspects.add(7)
    intervals = []
    while suspects.current():
        intervals.append(suspects.interval())
        suspects.checked({7})
    assert intervals == [0.0, *(FIRST_INTERVAL * 2**n for n in range(CHECKS - 1))]
    assert suspects.interval() is None


def test_a_second_suspicion_of_the_same_owner_adds_no_checks():
    suspects = Suspects()
    suspects.add('a')
    suspects.checked({'a'})
    suspects.add('a')
    assert suspects.interval() == FIRST_INTERVAL


def test_the_newest_suspicion_decides_when_all_are_checked():
    suspects = Suspects()
    suspects.add('a')
    for _ in range(3):
        suspects.checked({'a'})
    suspects.add('b')
    assert suspects.interval() == 0.0
    assert suspects.current() == {'a', 'b'}


def test_an_owner_that_was_suspected_after_a_check_began_is_not_counted_with_it():
    suspects = Suspects()
    suspects.add('a')
    checked = suspects.current()
    suspects.add('b')
    suspects.checked(checked)
    assert suspects.interval() == 0.0


def test_no_owner_is_suspected_after_clear():
    suspects = Suspects()
    suspects.add('a')
    suspects.clear()
    suspects.checked({'a'})
    assert suspects.interval() is None
