from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core._protocol.partitions import divide, partition_of

members = st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=20)
counts = st.integers(min_value=1, max_value=64)


@pytest.mark.parametrize(
    ('key', 'count', 'partition'),
    [
        ('', 12, 0),
        ('a', 12, 3),
        ('order-1', 12, 7),
        ('grüße', 12, 1),
        ('a', 1, 0),
        ('123456789', 1 << 32, 0xCBF43926),  # the check value of CRC-32
    ],
)
def test_partition_of_a_key_never_changes(key, count, partition):
    assert partition_of(key, count) == partition


@given(st.text(), counts)
def test_partition_is_below_the_count(key, count):
    assert 0 <= partition_of(key, count) < count


@given(members, counts)
def test_every_partition_has_one_member(names, count):
    divided = divide(names, count)
    assert divided.keys() == names
    assert sorted(n for owned in divided.values() for n in owned) == list(range(count))


@given(members, counts)
def test_shares_of_members_differ_by_at_most_one(names, count):
    sizes = [len(owned) for owned in divide(names, count).values()]
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=20), counts, st.randoms())
def test_the_division_does_not_depend_on_the_order_or_on_repetitions(names, count, random):
    shuffled = [*names, random.choice(names)]
    random.shuffle(shuffled)
    assert divide(names, count) == divide(shuffled, count)


def test_no_members_have_no_partitions():
    assert divide([], 12) == {}


def test_few_partitions_move_when_a_member_joins():
    moved = at_least = 0
    for size in range(1, 20):
        names = [f'member-{n}' for n in range(size)]
        before, after = divide(names, 60), divide([*names, 'new'], 60)
        owner = {n: name for name, owned in before.items() for n in owned}
        moved += sum(owner[n] != name for name, owned in after.items() for n in owned)
        at_least += len(after['new'])
    # an assignment that began anew would move 19 of 20 with many members
    assert moved < 2 * at_least
