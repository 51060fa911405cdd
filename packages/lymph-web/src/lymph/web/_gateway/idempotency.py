"""Outcomes of calls, kept so that a client can repeat a request that it got no answer to.

Source: draft-ietf-httpapi-idempotency-key-header. A client chooses a key for each operation and
sends it again with every repetition. The states of a key:

=============  ===================================  ================================================
state          a request with this key              ends
=============  ===================================  ================================================
(unknown)      makes the call: running
running        409                                  with the outcome: kept, or unknown if the call
                                                    certainly did not run
kept           gets the same answer again           after `seconds`: unknown; earlier if more than
                                                    `size` bytes are kept: dropped
dropped        409: the answer is lost              after `seconds`, or as the oldest of more than
                                                    `keys`: unknown
=============  ===================================  ================================================

A request with the same key but another body, method or version gets 422 in every state. The keys of
clients with different `Authorization` headers are different keys.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Final

from lymph.config import ConfigView
from lymph.core.options import refuse_unknown
from lymph.web._gateway.problems import CallProblem

__all__ = ['IdempotencySettings', 'KeptAnswer', 'Outcomes', 'digest_of']

_MIB: Final = 2**20


@dataclass(frozen=True)
class IdempotencySettings:
    """The section `idempotency`: how many answers are kept, how many bytes, and how long."""

    KEYS: ClassVar[tuple[str, ...]] = ('idempotency',)

    keys: int = 10_000
    size: int = 16 * _MIB  # bytes
    seconds: float = 3600.0

    @classmethod
    def from_config(cls, view: ConfigView) -> IdempotencySettings:
        """Read the section. Raises ConfigurationError for unknown keys and invalid values."""
        section = view.view('idempotency')
        refuse_unknown(section, ('keys', 'seconds', 'size'), plain=True)
        return cls(
            section.get_int('keys', cls.keys, minimum=1, maximum=10_000_000),
            section.get_int('size', cls.size, minimum=0, maximum=2**40),
            section.get_seconds('seconds', cls.seconds),
        )


@dataclass(frozen=True)
class KeptAnswer:
    """The status, the fields and the body of an answer."""

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def size(self) -> int:
        """Its bytes, with those that every answer takes."""
        return len(self.body) + 512


@dataclass
class _KeyState:
    """What is known of a key, besides the answer."""

    digest: bytes
    begun: float
    running: bool = True


class Outcomes:
    """The table of keys; `now` is a time in seconds of a monotonic clock."""

    def __init__(self, settings: IdempotencySettings) -> None:
        self._settings = settings
        # the oldest first
        self._states: OrderedDict[bytes, _KeyState] = OrderedDict()
        self._answers: OrderedDict[bytes, KeptAnswer] = OrderedDict()
        self._size = 0  # bytes of all answers

    def __len__(self) -> int:
        return len(self._states)

    def begin(self, key: bytes, digest: bytes, now: float) -> KeptAnswer | None:
        """Return the answer that is kept; None if the call is to be made now, and then `end`.

        `digest` is that of the request. Raises CallProblem.
        """
        state = self._states.get(key)
        if state is None or self._is_over(state, now):
            self.forget(key)
            self._make_room(now)
            self._states[key] = _KeyState(digest, now)
            return None
        if state.digest != digest:
            text = 'The Idempotency-Key was used for another request.'
            raise CallProblem(422, 'key_reused', text)
        if state.running:
            text = 'The first request with this Idempotency-Key is not answered yet.'
            raise CallProblem(409, 'still_running', text, may_have_run=True, retry_after=1)
        answer = self._answers.get(key)
        if answer is None:
            text = 'The call was made, but its outcome is not kept any more.'
            raise CallProblem(409, 'outcome_lost', text, may_have_run=True)
        return answer

    def end(self, key: bytes, answer: KeptAnswer | None) -> None:
        """Keep the answer to a call that may have run; None if nobody knows its outcome."""
        self._states[key].running = False
        if answer is not None and answer.size <= self._settings.size:
            self._answers[key] = answer
            self._size += answer.size
            while self._size > self._settings.size:
                _, dropped = self._answers.popitem(last=False)
                self._size -= dropped.size

    def forget(self, key: bytes) -> None:
        """Forget a call that certainly did not run: it may be repeated."""
        self._states.pop(key, None)
        answer = self._answers.pop(key, None)
        if answer is not None:
            self._size -= answer.size

    def _is_over(self, state: _KeyState, now: float) -> bool:
        return not state.running and state.begun + self._settings.seconds <= now

    def _make_room(self, now: float) -> None:
        """Forget keys that are over, and the oldest one if there are too many."""
        while self._states:
            oldest = next(iter(self._states))
            if not self._is_over(self._states[oldest], now):
                break
            self.forget(oldest)
        if len(self._states) < self._settings.keys:
            return
        ended = next((key for key, each in self._states.items() if not each.running), None)
        if ended is None:
            text = 'Too many requests with an Idempotency-Key are running.'
            raise CallProblem(503, 'overloaded', text, retry_after=1)
        self.forget(ended)


def digest_of(*parts: bytes) -> bytes:
    """Return a digest of several texts, which also depends on where each of them ends."""
    found = hashlib.sha256()
    for part in parts:
        found.update(len(part).to_bytes(8, 'big'))
        found.update(part)
    return found.digest()
