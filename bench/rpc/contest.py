"""All subjects of `bench.rpc`, started and measured side by side."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from bench import contest
from bench.rpc.pairs import Pair, Subject
from bench.rpc.slices import Result, Slice

__all__ = ['Contest', 'hold']


@dataclass
class Contest(contest.Contest[Slice, Result]):
    """What came out, and what the servers kept resident before their first call."""

    idle_memory: dict[str, int] = field(default_factory=dict)  # bytes


def hold(subjects: Sequence[Subject], orders: Sequence[Slice], rounds: int) -> Contest:
    """Start all subjects and measure each with each slice, `rounds` times."""
    found = Contest()
    with ExitStack() as stack:
        pairs = [stack.enter_context(closing(Pair(subject))) for subject in subjects]
        found.idle_memory = {pair.name: pair.idle_memory for pair in pairs}
        found.hold(pairs, orders, rounds)
    return found
