"""The dead letters in Redis, read and changed by scripts in batches."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Sequence
from typing import Any

from lymph.config.printable import printable
from lymph.core.failures import ERROR_LENGTH
from lymph.events.deadletters import DeadLetter, DeadLetters, Settled
from lymph.events.envelope import unpack_event
from lymph.events.kombu._connecting.times import seconds
from lymph.events.kombu._redis.links import RedisLink

__all__ = ['RedisDeadLetters']

# Limits of one script: Redis executes nothing else while it runs.
_BATCH = 100  # dead letters
_BYTES = 2**20  # that are read; a larger dead letter is read alone
_MOVED = 16 * 2**20  # bytes that are replayed, which stay within Redis


class RedisDeadLetters(DeadLetters):
    """Dead letters of the Redis at `link`.

    Each script has `timeout` seconds. Every method raises BrokerError when Redis does not answer in
    time or refuses. The id of a dead letter is its number.
    """

    def __init__(self, link: RedisLink, timeout: float) -> None:
        self._link = link
        self._timeout = timeout

    def read(
        self, queue: str | None = None, limit: int = 100, after: str | None = None
    ) -> Sequence[DeadLetter]:
        """Return up to `limit` dead letters, of one queue or of all, the oldest first.

        `after` is the id of a dead letter: the answer begins with the next one. An invalid id means
        the beginning.
        """
        return list(self._read(queue, limit, _number(after)))

    def scan(self, queue: str | None = None) -> Generator[DeadLetter, None, None]:
        """Yield all dead letters, of one queue or of all, the oldest first."""
        yield from self._read(queue, sys.maxsize, 0)

    def oldest(
        self, queue: str | None = None, limit: int = 100
    ) -> tuple[Sequence[DeadLetter], int]:
        """Return up to `limit` dead letters, the oldest first, and how many there are in all."""
        found = self.read(queue, limit)
        count = int(self._link.script(self._timeout, 'count', queue or ''))
        return found, max(count, len(found))

    def find(self, id: str) -> DeadLetter | None:
        """Return the dead letter with this id, or None."""
        found = self.read(None, 1, str(_number(id) - 1)) if _number(id) else ()
        return found[0] if found and found[0].id == id else None

    def replay(self, *ids: str, settled: Settled = str) -> int:
        """Put dead letters back at the end of their queues, call `settled(id)`, return how many.

        Unknown ids are ignored, and dead letters whose queue is gone stay.
        """
        return self._settle(ids, settled, 'replay', _MOVED)

    def drop(self, *ids: str, settled: Settled = str) -> int:
        """Delete dead letters, call `settled(id)` for each, and return how many there were."""
        return self._settle(ids, settled, 'drop')

    def _read(self, queue: str | None, limit: int, last: int) -> Iterator[DeadLetter]:
        """Yield up to `limit` dead letters after number `last`, a batch with each script."""
        more = True
        while more and limit > 0:
            count = min(limit, _BATCH)
            more, *found = self._link.script(
                self._timeout, 'letters', queue or '', last, count, _BYTES
            )
            for each in found:
                letter = _letter(*each)
                last = _number(letter.id)
                yield letter
            limit -= len(found)

    def _settle(self, ids: Sequence[str], settled: Settled, script: str, *args: object) -> int:
        """Run a script on batches of ids and return how many it settled.

        The script returns how many ids it processed, and the ids that it settled among them.
        """
        left = [id for id in ids if _number(id)]
        total = 0
        while left:
            seen, *done = self._link.script(self._timeout, script, *args, *left[:_BATCH])
            del left[:seen]
            total += len(done)
            for id in done:
                settled(id.decode())
        return total


def _letter(id: bytes, *pairs: Any) -> DeadLetter:
    fields: dict[bytes, bytes] = dict(zip(pairs[::2], pairs[1::2], strict=True))
    emitted, _, data = fields.get(b'record', b'').partition(b' ')
    attempts = _number(fields.get(b'attempts'))
    try:
        event = unpack_event(data, attempts)
    except Exception:  # noqa: BLE001 - other programs may have written anything there
        event = None
    return DeadLetter(
        _text(id),
        _text(fields.get(b'queue')),
        event,
        data,
        printable(_text(fields.get(b'error')), ERROR_LENGTH),
        attempts,
        _seconds(emitted, _number(fields.get(b'ahead'))),
        _seconds(fields.get(b'died')) or 0.0,
    )


def _text(value: bytes | None) -> str:
    return (value or b'').decode(errors='backslashreplace')


def _seconds(ms: bytes | None, ahead: int = 0) -> float | None:
    return seconds(max(_number(ms) - ahead, 0) / 1000) or None


def _number(value: str | bytes | None) -> int:
    """Return a whole number of up to 15 digits, or 0 for anything else."""
    return int(value) if value and value.isascii() and value.isdigit() and len(value) < 16 else 0
