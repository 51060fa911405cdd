from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from lymph.core._protocol.balancing import choose

chances = st.floats(0, 1, exclude_max=True)
NAMES = 'abcdefgh'


def pick(candidates, load=None, usable=None, chance=random.random):
    return choose(
        candidates,
        (lambda c: 0) if load is None else load.__getitem__,
        (lambda c: True) if usable is None else usable.__contains__,
        chance,
    )


@given(
    st.integers(1, 8), st.lists(chances, min_size=3, max_size=3), st.sets(st.sampled_from(NAMES))
)
def test_usable_candidate_is_chosen_if_there_is_one(count, draws, usable):
    candidates = NAMES[:count]
    chosen = pick(candidates, usable=usable, chance=iter(draws).__next__)
    assert chosen in candidates
    assert chosen in usable or not usable & set(candidates)


def test_single_candidate_is_chosen_whatever_its_state():
    assert pick(['only'], {'only': 1000}, usable=()) == 'only'


def test_less_loaded_of_two_is_always_chosen():
    load = {'busy': 3, 'idle': 2}
    assert {pick(['busy', 'idle'], load) for _ in range(100)} == {'idle'}


def test_equally_loaded_candidates_share_equally():
    chance = random.Random(7).random
    counts = Counter(pick(NAMES, chance=chance) for _ in range(8000))
    assert set(counts) == set(NAMES)
    assert max(counts.values()) < 1.2 * min(counts.values())


def test_the_load_of_many_calls_stays_even():
    chance = random.Random(7).random
    load = dict.fromkeys(NAMES, 0)
    for _ in range(8000):
        load[pick(NAMES, load, chance=chance)] += 1
    assert max(load.values()) - min(load.values()) <= 5


def test_an_instance_that_was_slow_before_gets_less_until_it_has_caught_up():
    chance = random.Random(7).random
    load = {**dict.fromkeys(NAMES, 0), 'a': 500}
    counts = Counter()
    for _ in range(700):
        chosen = pick(NAMES, load, chance=chance)
        load[chosen] += 1
        counts[chosen] += 1
    assert counts['a'] == 0


def test_the_share_of_an_unusable_one_goes_to_all_others():
    chance = random.Random(7).random
    counts = Counter(pick(NAMES, usable='bcdefgh', chance=chance) for _ in range(7000))
    assert counts['a'] == 0
    assert max(counts.values()) < 1.3 * min(counts.values())


def test_the_only_usable_one_is_found():
    assert {pick(NAMES, usable='h') for _ in range(200)} == {'h'}


def test_all_candidates_are_chosen_from_if_none_is_usable():
    assert {pick(NAMES, usable='') for _ in range(500)} == set(NAMES)
