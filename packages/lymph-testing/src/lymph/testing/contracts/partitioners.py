"""The contract of partitioners, as tests.

A partitioner's author runs them by subclassing, for pytest to collect::

    class TestMyPartitioner(PartitionerContract):
        def make_partitioner(self):
            return MyPartitioner(...)

All partitioners made in one test see the same groups, as if each was in its own process. The suite
starts and stops them.
"""

from __future__ import annotations

import secrets
from typing import ClassVar

import gevent
import pytest

from lymph.core.partitioning import Partitioner
from lymph.testing.waiting import eventually

__all__ = ['PartitionerContract']


class PartitionerContract:
    """The tests that every partitioner has to pass."""

    #: seconds to wait for something that has to happen
    patience: ClassVar[float] = 10.0

    def make_partitioner(self) -> Partitioner:
        """Return a new partitioner, not started.

        Raises NotImplementedError: subclasses override it.
        """
        raise NotImplementedError

    # The tools of the tests.

    def setup_method(self) -> None:
        """Prepare a test with a unique group without members."""
        self.group = f'g{secrets.token_hex(6)}.handler'
        self._partitioners: list[Partitioner] = []
        self._owned: dict[tuple[str, str], frozenset[int]] = {}

    def teardown_method(self) -> None:
        """Stop all partitioners."""
        partitioners, self._partitioners = self._partitioners, []
        for partitioner in partitioners:
            self._end(partitioner)

    def start(self) -> Partitioner:
        """Return a started partitioner."""
        partitioner = self.make_partitioner()
        self._partitioners.append(partitioner)
        partitioner.on_start()
        return partitioner

    def stop(self, partitioner: Partitioner) -> None:
        """Stop a partitioner as a container does."""
        self._partitioners.remove(partitioner)
        self._end(partitioner)

    def join(
        self, partitioner: Partitioner, member: str, count: int = 12, group: str | None = None
    ) -> None:
        """Join the group as a member, and record its assignments."""
        group = group or self.group

        def assigned(partitions: frozenset[int]) -> None:
            self._owned[group, member] = partitions

        partitioner.join(group, member, count, assigned)

    def owned(self, member: str, group: str | None = None) -> frozenset[int]:
        """Return the last assignment of a member."""
        return self._owned[group or self.group, member]

    def divided(self, *members: str, count: int = 12) -> bool:
        """Return whether the members share all partitions about equally."""
        owned = [self.owned(member) for member in members]
        sizes = [len(each) for each in owned]
        whole = sorted(n for each in owned for n in each) == list(range(count))
        return whole and max(sizes) - min(sizes) <= 1

    def eventually_divided(self, *members: str, count: int = 12) -> None:
        """Wait until the members share all partitions about equally."""
        eventually(lambda: self.divided(*members, count=count), self.patience)

    def _end(self, partitioner: Partitioner) -> None:
        partitioner.on_stop()
        partitioner.pool.kill()

    # The contract.

    def test_a_member_alone_has_all_partitions_at_once(self) -> None:
        """The first member owns all partitions when `join` returns."""
        self.join(self.start(), 'a')
        assert self.owned('a') == frozenset(range(12))

    @pytest.mark.parametrize('count', [1, 2, 12, 100])
    def test_members_share_the_partitions(self, count: int) -> None:
        """The members own each partition exactly once, however many there are."""
        for member in 'abc':
            self.join(self.start(), member, count)
        self.eventually_divided(*'abc', count=count)

    def test_a_member_that_leaves_gives_its_partitions_to_the_others(self) -> None:
        """After `leave`, the remaining members own all partitions."""
        first = self.start()
        self.join(first, 'a')
        for member in 'bc':
            self.join(self.start(), member)
        self.eventually_divided(*'abc')
        first.leave(self.group, 'a')
        self.eventually_divided('b', 'c')

    def test_a_partitioner_that_stops_leaves_its_groups(self) -> None:
        """Stopping a partitioner has the effect of `leave` for its members."""
        first = self.start()
        self.join(first, 'a')
        self.join(self.start(), 'b')
        self.eventually_divided('a', 'b')
        self.stop(first)
        self.eventually_divided('b')

    def test_who_has_left_is_told_nothing_more(self) -> None:
        """A member gets no assignments after `leave`."""
        first, second = self.start(), self.start()
        self.join(first, 'a')
        first.leave(self.group, 'a')
        before = self._owned.pop((self.group, 'a'))
        self.join(second, 'b')
        self.join(self.start(), 'c')
        self.eventually_divided('b', 'c')
        gevent.sleep(0)
        assert (self.group, 'a') not in self._owned
        assert before == frozenset(range(12))

    def test_instance_that_left_can_consume_again(self) -> None:
        """A member can join again after `leave`."""
        first = self.start()
        self.join(first, 'a')
        self.join(self.start(), 'b')
        first.leave(self.group, 'a')
        self.eventually_divided('b')
        self.join(first, 'a')
        self.eventually_divided('a', 'b')

    def test_groups_have_nothing_to_do_with_each_other(self) -> None:
        """The partitions of a group are divided among its own members only."""
        first, second = self.start(), self.start()
        self.join(first, 'a')
        self.join(second, 'b', group=f'{self.group}2')
        self.join(first, 'a', 3, group=f'{self.group}3')
        self.join(second, 'b', 3, group=f'{self.group}3')
        eventually(
            lambda: (
                len(self.owned('a', f'{self.group}3')) in (1, 2)
                and len(self.owned('b', f'{self.group}3')) in (1, 2)
            ),
            self.patience,
        )
        assert self.owned('a') == frozenset(range(12))
        assert self.owned('b', f'{self.group}2') == frozenset(range(12))

    def test_leaving_what_was_never_joined_is_ignored(self) -> None:
        """`leave` ignores unknown groups and members."""
        self.start().leave(self.group, 'nobody')

    def test_a_member_that_joins_moves_few_partitions_of_the_others(self) -> None:
        """When a fourth member joins three, they keep at least half of 60 partitions."""
        for member in 'abc':
            self.join(self.start(), member, 60)
        self.eventually_divided(*'abc', count=60)
        before = {member: self.owned(member) for member in 'abc'}
        self.join(self.start(), 'd', 60)
        self.eventually_divided(*'abcd', count=60)
        kept = sum(len(before[member] & self.owned(member)) for member in 'abc')
        assert kept >= 30
