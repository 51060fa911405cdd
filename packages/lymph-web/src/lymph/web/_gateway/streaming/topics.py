"""Which event types a client may ask for, and which of its topics an event is for.

The allow list has types and patterns (`lymph.events.topics`). A client asks for types that the list
allows, or for a pattern exactly as it is in the list. Types that begin with ``lymph.`` carry
tasks and other messages of lymph itself: no pattern allows them, only their full name does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from lymph.config.printable import quoted
from lymph.events.topics import Pattern, check_pattern, compile_pattern

__all__ = ['AllowedEvents', 'topic_for']

_OWN: Final = 'lymph.'
_MOST: Final = 32  # topics of one stream


class AllowedEvents:
    """The allow list. Raises ValueError for an invalid pattern."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(compile_pattern(pattern) for pattern in patterns)
        self._texts = frozenset(pattern.text for pattern in self.patterns)

    def choose(self, asked: Sequence[str]) -> tuple[Pattern, ...]:
        """Return the topics to subscribe to for a client that asks for these.

        A type that another topic of the client matches is left out. Raises ValueError for no type,
        too many and invalid ones, LookupError for others than the list has.
        """
        texts = list(dict.fromkeys(asked))
        if not texts:
            raise ValueError('expected the event types to send, as in ?type=shop.ordered')
        if len(texts) > _MOST:
            raise ValueError(f'expected at most {_MOST} event types, found {len(texts)}')
        for text in texts:
            check_pattern(text)
            if not self._allows(text):
                raise LookupError(f'there is no event type {quoted(text)}')
        topics = [compile_pattern(text) for text in texts]
        wide = [topic for topic in topics if not topic.exact]
        return tuple(
            topic
            for topic in topics
            if not (topic.exact and any(_covers(other, topic.text) for other in wide))
        )

    def source_of(self, topic: Pattern) -> Pattern:
        """Return the entry of the list that allows a topic; the topic itself if it is one."""
        if topic.text in self._texts:
            return topic
        return next(pattern for pattern in self.patterns if _covers(pattern, topic.text))

    def _allows(self, text: str) -> bool:
        if text in self._texts:
            return True
        wild = '*' in text or '#' in text
        return not wild and any(_covers(pattern, text) for pattern in self.patterns)


def topic_for(type: str, topics: Sequence[Pattern]) -> str | None:
    """Return the topic by which a client gets events of a type: the first that matches.

    An event arrives once for each of the topics, and must not be sent twice.
    """
    return next((topic.text for topic in topics if _covers(topic, type)), None)


def _covers(pattern: Pattern, type: str) -> bool:
    if pattern.exact:
        return pattern.text == type
    return not type.startswith(_OWN) and pattern.matches(type)
