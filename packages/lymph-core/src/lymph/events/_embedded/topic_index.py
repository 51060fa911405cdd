"""Finds the patterns that match a topic, without trying each of them.

The patterns form a tree of words. A lookup follows the topic down the tree, word by word, along all
branches that match. So its cost depends on the number of these branches, not on the number of
patterns. The syntax of patterns is described in `topics`.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from lymph.events.topics import check_pattern

__all__ = ['TopicIndex']

T = TypeVar('T')

_ONE, _MANY = '*', '#'


class _Node(Generic[T]):
    __slots__ = ('many', 'next', 'values')

    def __init__(self, many: bool) -> None:
        self.many = many  # whether it matches any number of further words
        self.next: dict[str, _Node[T]] = {}
        self.values: list[T] = []


class TopicIndex(Generic[T]):
    """Values under patterns; a lookup finds each value once, even if several patterns match."""

    def __init__(self) -> None:
        self._root: _Node[T] = _Node(False)

    def add(self, pattern: str, value: T) -> None:
        """Put a value under a pattern; raises ValueError for an invalid pattern."""
        node = self._root
        for word in check_pattern(pattern).split('.'):
            following = node.next.get(word)
            if following is None:
                following = node.next[word] = _Node(word == _MANY)
            node = following
        node.values.append(value)

    def find(self, topic: str) -> tuple[T, ...]:
        """Return the values under all patterns that match the topic, in no particular order."""
        nodes: dict[_Node[T], None] = {}
        _enter(self._root, nodes)
        for word in topic.split('.'):
            reached: dict[_Node[T], None] = {}
            for node in nodes:
                if node.many:
                    _enter(node, reached)  # `#` takes this word as well
                for branch in (word, _ONE):
                    following = node.next.get(branch)
                    if following is not None:
                        _enter(following, reached)
            nodes = reached
        return tuple(dict.fromkeys(value for node in nodes for value in node.values))


def _enter(node: _Node[T] | None, reached: dict[_Node[T], None]) -> None:
    """Add a node, and the nodes that follow it without a word: # also matches zero words."""
    while node is not None and node not in reached:
        reached[node] = None
        node = node.next.get(_MANY)
