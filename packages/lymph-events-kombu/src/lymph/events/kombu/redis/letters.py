"""The dead letters in Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from lymph.config.printable import printable
from lymph.core.failures import ERROR_LENGTH
from lymph.core.protocol.envelope import unpack_event
from lymph.events.deadletters import DeadLetter, DeadLetters, Settled
from lymph.events.kombu.messages import seconds
from lymph.events.kombu.redis.links import RedisLink

__all__ = ['RedisDeadLetters']

_BATCH = 100  # in one script, during which Redis does nothing else


class RedisDeadLetters(DeadLetters):
    """Dead letters that are reached over `link`; every method raises BrokerError."""

    def __init__(self, link: RedisLink, timeout: float) -> None:
        self._link = link
        self._timeout = timeout

    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        letters: list[DeadLetter] = []
        last = _number(after)
        while len(letters) < limit:
            count = min(limit - len(letters), _BATCH)
            found = self._link.script(self._timeout, 'letters', queue or '', last, count)
            letters += [_letter(*each) for each in found]
            if len(found) < count:
                break
            last = _number(letters[-1].id)
        return letters

    def find(self, id: str) -> DeadLetter | None:
        found = self.read(None, 1, str(_number(id) - 1)) if _number(id) else ()
        return found[0] if found and found[0].id == id else None

    def replay(self, *ids: str, settled: Settled = str) -> int:
        return self._settle('replay', ids, settled)

    def drop(self, *ids: str, settled: Settled = str) -> int:
        return self._settle('drop', ids, settled)

    def _settle(self, script: str, ids: Sequence[str], settled: Settled) -> int:
        total = 0
        for some in _batches([id for id in ids if _number(id)]):
            done = self._link.script(self._timeout, script, *some)
            total += len(done)
            for id in done:
                settled(id.decode())
        return total


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _BATCH] for at in range(0, len(ids), _BATCH))


def _letter(id: bytes, *pairs: Any) -> DeadLetter:
    fields: dict[bytes, bytes] = dict(zip(pairs[::2], pairs[1::2], strict=True))
    emitted, _, data = fields.get(b'record', b'').partition(b' ')
    attempts = _number(fields.get(b'attempts'))
    try:
        event = unpack_event(data, attempts)
    except Exception:  # noqa: BLE001 - anybody may have put anything there
        event = None
    return DeadLetter(
        id.decode(),
        _text(fields.get(b'queue')),
        event,
        data,
        printable(_text(fields.get(b'error')), ERROR_LENGTH),
        attempts,
        _seconds(emitted),
        _seconds(fields.get(b'died')) or 0.0,
    )


def _text(value: bytes | None) -> str:
    return (value or b'').decode(errors='backslashreplace')


def _seconds(ms: bytes | None) -> float | None:
    return seconds(_number(ms) / 1000) or None


def _number(value: str | bytes | None) -> int:
    """Return a whole number of up to 15 digits, or 0 where there is none."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 16 else 0
