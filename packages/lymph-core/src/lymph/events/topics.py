"""Topics, and the patterns that stand for many of them. Source: AMQP 0-9-1, section 3.1.3.3.

A topic is the type of an event: dot-separated words. In a pattern the word ``*`` stands for any
one word and ``#`` for zero or more words; there are no wildcards within a word.

==============  ==================================  ============================
pattern         matches                             does not match
==============  ==================================  ============================
order.paid      order.paid                          order, order.paid.late
order.*         order.paid                          order, order.paid.late
order.#         order, order.paid, order.paid.late  orders
#.late          late, order.paid.late               late.order
#               every topic
==============  ==================================  ============================
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from lymph.config.printable import quoted
from lymph.core.limits import SUBJECT

__all__ = ['Pattern', 'check_pattern', 'check_topic', 'compile_pattern', 'matches', 'matches_any']

_REMEMBERED = 4096  # patterns and topics that stay checked and compiled
_ONE, _MANY = '*', '#'


@lru_cache(maxsize=_REMEMBERED)
def check_topic(topic: str) -> str:
    """Return `topic`; raises ValueError if it is invalid or has wildcards."""
    for word in _words(topic, 'an event type'):
        if _ONE in word or _MANY in word:
            raise ValueError(
                f'expected an event type without wildcards, found {quoted(topic)}; '
                'only subscriptions may use * and #'
            )
    return topic


@lru_cache(maxsize=_REMEMBERED)
def check_pattern(pattern: str) -> str:
    """Return `pattern`; raises ValueError if it is invalid."""
    for word in _words(pattern, 'a topic'):
        if len(word) > 1 and (_ONE in word or _MANY in word):
            raise ValueError(
                f'expected * and # as words of their own, found {quoted(word)} '
                f'in the topic {quoted(pattern)}'
            )
    return pattern


class Pattern:
    """A compiled pattern; matching takes at most time proportional to the product of both lengths.

    `compile_pattern` makes and remembers them. Raises ValueError for an invalid pattern.
    """

    __slots__ = ('_words', 'exact', 'text')

    def __init__(self, text: str) -> None:
        self.text = check_pattern(text)
        self._words = tuple(text.split('.'))
        #: whether the pattern has no wildcards, so that it matches itself alone
        self.exact = _ONE not in self._words and _MANY not in self._words

    def __repr__(self) -> str:
        return f'<Pattern {self.text}>'

    def matches(self, topic: str) -> bool:
        """Tell whether the pattern matches `topic`."""
        if self.exact:
            return topic == self.text
        return _match(self._words, topic.split('.'))


@lru_cache(maxsize=_REMEMBERED)
def compile_pattern(pattern: str) -> Pattern:
    """Return `pattern` compiled; raises ValueError if it is invalid."""
    return Pattern(pattern)


def matches(pattern: str, topic: str) -> bool:
    """Tell whether `pattern` matches `topic`; raises ValueError for an invalid pattern."""
    return compile_pattern(pattern).matches(topic)


def matches_any(patterns: Iterable[str], topic: str) -> bool:
    """Tell whether any of `patterns` matches `topic`; raises ValueError for an invalid pattern."""
    return any(compile_pattern(pattern).matches(topic) for pattern in patterns)


def _match(pattern: tuple[str, ...], words: list[str]) -> bool:
    # Going back to the last # is enough: what an earlier one could take, the last one can take too.
    # That is what keeps a pattern like #.a.#.a.# from trying every combination.
    # The last # takes the words up to number `taken`: no word at first, and one more each time the
    # rest does not match.
    at, word, last_many, taken = 0, 0, -1, 0
    while word < len(words):
        if at < len(pattern) and pattern[at] == _MANY:
            last_many, taken = at, word
            at += 1
        elif at < len(pattern) and pattern[at] in (_ONE, words[word]):
            at += 1
            word += 1
        elif last_many >= 0:
            taken += 1
            at, word = last_many + 1, taken
        else:
            return False
    return all(rest == _MANY for rest in pattern[at:])


def _words(text: str, kind: str) -> list[str]:
    if not isinstance(text, str):
        raise ValueError(f'expected {kind} as text, found {type(text).__name__}: {quoted(text)}')
    if len(text.encode(errors='replace')) > SUBJECT:
        raise ValueError(f'expected {kind} of at most {SUBJECT} bytes, found {quoted(text)}')
    words = text.split('.')
    if not all(words):
        raise ValueError(
            f'expected {kind} made of words parted by single dots, found {quoted(text)}'
        )
    if not text.isprintable() or ' ' in text:
        raise ValueError(
            f'expected {kind} without spaces and control characters, found {quoted(text)}'
        )
    return words
