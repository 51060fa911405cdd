"""Claims to exclusive queues: which instance alone may consume one, and until when.

- A queue has at most one claim, a row with a token that its consumer made up. It is taken with a
  lease and given up when the consumer is done.
- It ends with its owner (see `owners`). It also expires unless its holder renews it in time, which
  an instance does for as long as its loop runs: one that stands still may be alive for ever.
- Whoever takes an expired claim takes back the events that are leased from the queue. A lease is
  settled by its owner alone, so what the former holder says about them later has no effect.
- Times are of the monotonic clock, which all processes of a machine share and nobody sets. A claim
  from before a restart of the machine belongs to an owner that is dead.

Everything but `HeldClaims` runs in a transaction, in the thread of the committer.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial

import gevent

from lymph.core.components import Component
from lymph.core.failures import Killed, error_text, log_failure
from lymph.core.greenlets import Greenlet
from lymph.events._embedded.clock import Database
from lymph.events._embedded.committer import Committer
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.messages import bury, recover
from lymph.events.deliveries import after_loss

__all__ = ['HeldClaims', 'give_up', 'renew', 'take', 'take_back']

logger = logging.getLogger(__name__)

_RENEWALS = 3  # in the lifetime of a claim
_CANNOT_RENEW = 'cannot renew the claims to exclusive queues'


class HeldClaims:
    """The claims that this instance holds; renews them.

    A claim expires `lifetime` seconds after it was renewed last. `wake_queue` is called with the
    queue of each claim that another instance has taken.
    """

    def __init__(
        self,
        component: Component,
        committer: Committer,
        lifetime: float,
        wake_queue: Callable[[str], object],
    ) -> None:
        self.lifetime = lifetime
        self._component = component
        self._committer = committer
        self._wake_queue = wake_queue
        self._queues: dict[str, str] = {}  # token -> queue
        self._expires: dict[str, float] = {}  # token -> when the claim expires
        self._renewing: Greenlet | None = None

    def holds(self, token: str) -> bool:
        """Tell whether the claim has not expired: no other instance can have it. Never waits."""
        return time.monotonic() < self._expires.get(token, 0.0)

    def add(self, queue: str, token: str, expires: float) -> None:
        """Hold a claim that expires at `expires`, and renew it from now on."""
        self._queues[token] = queue
        self._expires[token] = expires
        if self._renewing is None:
            self._renewing = self._component.spawn(self._run)

    def remove(self, token: str) -> None:
        """Hold a claim no longer; unknown ones are ignored."""
        self._queues.pop(token, None)
        self._expires.pop(token, None)

    def clear(self) -> None:
        """Hold no claim any more. Never waits."""
        self._queues.clear()
        self._expires.clear()

    def stop(self) -> None:
        """Hold no claim any more and stop renewing."""
        self.clear()
        if self._renewing is not None:
            self._renewing.kill()
            self._renewing = None

    def _run(self) -> None:
        while True:
            gevent.sleep(self.lifetime / _RENEWALS)
            if not self._queues:
                self._renewing = None
                return
            tokens = tuple(self._queues)
            try:
                renewed = self._committer.run(partial(self._renew_in_thread, tokens), None)
                self._note(tokens, renewed)
            except Killed:
                raise
            except StoreError as error:
                logger.error('%s: %s', _CANNOT_RENEW, error_text(error))
            except BaseException as error:  # noqa: BLE001 - the next renewal comes in any case
                log_failure(logger, error, _CANNOT_RENEW)

    def _renew_in_thread(
        self, tokens: tuple[str, ...], db: sqlite3.Connection
    ) -> Mapping[str, float]:
        expires = time.monotonic() + self.lifetime
        return dict.fromkeys(renew(db, tokens, expires), expires)

    def _note(self, tokens: tuple[str, ...], renewed: Mapping[str, float]) -> None:
        for token in tokens:
            queue = self._queues.get(token)
            if queue is None:
                continue  # it was removed meanwhile
            if token in renewed:
                self._expires[token] = renewed[token]
            else:
                logger.warning('%s: another instance has taken over', queue)
                self.remove(token)
                self._wake_queue(queue)


def take(
    db: Database, queue: int, owner: int, token: str, now: float, expires: float
) -> float | None:
    """Take or renew the claim `token` to a queue until `expires`.

    Returns None when it is held now; otherwise the seconds until the claim of another instance may
    have expired.
    """
    held = db.execute('SELECT token, expires FROM claims WHERE queue = ?', (queue,)).fetchone()
    if held is not None and held[0] != token and held[1] > now:
        other_expires: float = held[1]
        return min(other_expires, expires) - now
    if held is None or held[0] != token:
        take_back(db, 'queue = ?', queue, 'its consumer stood still')
    db.execute('REPLACE INTO claims VALUES (?, ?, ?, ?)', (queue, token, owner, expires))
    return None


def renew(db: sqlite3.Connection, tokens: Iterable[str], expires: float) -> set[str]:
    """Have claims expire at `expires`; return those that still exist."""
    sql = 'UPDATE claims SET expires = ? WHERE token = ?'
    return {token for token in tokens if db.execute(sql, (expires, token)).rowcount}


def give_up(db: sqlite3.Connection, token: str) -> None:
    """Delete a claim: another instance may take one at once."""
    db.execute('DELETE FROM claims WHERE token = ?', (token,))


def take_back(db: Database, where: str, value: int, why: str) -> set[str]:
    """Make leased events ready again; those that were lost too often become dead letters.

    `where` and `value` are a condition on `messages`; `why` is the error of the dead letters.
    Returns the names of the queues that got events back.
    """
    leased = db.execute(
        'SELECT messages.id, owner, attempts, losses, name FROM messages '
        f'JOIN queues ON queues.id = queue WHERE owner IS NOT NULL AND {where}',
        (value,),
    ).fetchall()
    for id, owner, attempts, losses, _ in leased:
        if after_loss(losses + 1):
            recover(db, owner, id)
        else:
            bury(db, owner, id, f'{why} in attempt {attempts}, as often before')
    return {name for *_, name in leased}
