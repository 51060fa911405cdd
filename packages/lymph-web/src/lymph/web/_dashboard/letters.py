"""Dead letters for the page: a list, one with its payload, and replaying or dropping some."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, Final, Protocol

from werkzeug.exceptions import BadRequest, NotFound

from lymph.config.printable import printable, quoted
from lymph.core.events import Event
from lymph.events.base import BaseEventSystem
from lymph.events.deadletters import DeadLetter, DeadLetters
from lymph.exceptions import SerializationError
from lymph.web._gateway.json_values import as_json

__all__ = ['Letters', 'LettersHost']

_ERROR: Final = 500  # characters of an error in a list
_DATA: Final = 64 * 1024  # bytes of what is no event
_AT_ONCE: Final = 100  # dead letters that are settled with one request to the event system
_MOST: Final = 10_000  # dead letters of a queue that are settled by one request
_IDS: Final = 1000  # ids in a request


class LettersHost(Protocol):
    """What dead letters need of a container."""

    @property
    def events(self) -> BaseEventSystem:
        """The event system."""


class Letters:
    """The dead letters of the event system of `host`.

    All methods raise NotFound for an event system that keeps none, and LymphError if it cannot be
    asked.
    """

    def __init__(self, host: LettersHost) -> None:
        self._host = host

    def list(self, queue: str | None, limit: int) -> dict[str, Any]:
        """Return the oldest dead letters, of one queue or of all, and how many there are."""
        found, count = self._letters.oldest(queue, limit)
        return {'letters': [_summary(each) for each in found], 'count': count}

    def show(self, id: str) -> dict[str, Any]:
        """Return all that is known of a dead letter. Raises NotFound."""
        letter = self._letters.find(id)
        if letter is None:
            text = f'There is no dead letter {quoted(id)}; somebody may have settled it meanwhile.'
            raise NotFound(text)
        return {**_summary(letter), 'error': letter.error, **_content(letter)}

    def replay(self, ids: Any, queue: Any) -> dict[str, Any]:
        """Replay dead letters, those with `ids` or those of a queue; return how many."""
        return self._settle(ids, queue, self._letters.replay)

    def drop(self, ids: Any, queue: Any) -> dict[str, Any]:
        """Drop dead letters, those with `ids` or those of a queue; return how many."""
        return self._settle(ids, queue, self._letters.drop)

    @property
    def _letters(self) -> DeadLetters:
        letters = self._host.events.dead_letters
        if letters is None:
            raise NotFound('This event system keeps no dead letters.')
        return letters

    def _settle(self, ids: Any, queue: Any, settle: Callable[..., int]) -> dict[str, Any]:
        chosen = self._chosen(ids, queue)
        done = 0
        for start in range(0, len(chosen), _AT_ONCE):
            done += settle(*chosen[start : start + _AT_ONCE])
        return {'found': len(chosen), 'done': done}

    def _chosen(self, ids: Any, queue: Any) -> Sequence[str]:
        if (ids is None) == (queue is None):
            raise BadRequest('Expected either `ids` or `queue`.')
        if queue is not None:
            if not isinstance(queue, str):
                raise BadRequest(f'queue: expected text, found {quoted(queue)}.')
            with closing(self._letters.scan(queue)) as scan:
                return [letter.id for letter in islice(scan, _MOST)]
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise BadRequest(f'ids: expected a list of texts, found {quoted(ids)}.')
        if not 0 < len(ids) <= _IDS:
            raise BadRequest(f'ids: expected 1 to {_IDS}, found {len(ids)}.')
        return list(dict.fromkeys(ids))


def _summary(letter: DeadLetter) -> dict[str, Any]:
    return {
        'id': letter.id,
        'queue': letter.queue,
        'type': None if letter.event is None else letter.event.type,
        'error': printable(letter.error, _ERROR),
        'attempts': letter.attempts,
        'emitted': letter.emitted,
        'died': letter.died,
        'trace_id': letter.trace_id,
    }


def _content(letter: DeadLetter) -> dict[str, Any]:
    """Return the event; of what is no event, or has no form in JSON, the bytes."""
    problem = 'The bytes cannot be read as an event.'
    if letter.event is not None:
        try:
            return {'event': _event_facts(letter.event)}
        except SerializationError as error:
            problem = f'The event has no form in JSON: {printable(str(error), _ERROR)}'
    data = letter.data[:_DATA]
    return {
        'problem': problem,
        'data': base64.b64encode(data).decode(),
        'data_left_out': len(letter.data) - len(data),
    }


def _event_facts(event: Event) -> Any:
    facts = ('id', 'source', 'headers', 'body')
    return as_json({name: getattr(event, name) for name in facts})
