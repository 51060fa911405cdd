"""The prefixes of keys and channels in Redis, which keep the systems there apart.

Keys are ``<exchange>:<kind>`` or ``<exchange>:<kind>:<name>``, see `scripts`. An exchange may
contain colons, as in ``prod:shop``, but no kind after a colon: keys of ``shop:ready`` could be
keys of ``shop``.
"""

from __future__ import annotations

import re

from lymph.events.kombu._redis.scripts import SCRIPTS

__all__ = ['DEFAULT_EXCHANGE', 'bell', 'is_exchange']

DEFAULT_EXCHANGE = 'lymph'

_BELL = 'bell'
_KINDS = frozenset([_BELL, *re.findall(r"\bkey\('(\w+)'", ''.join(SCRIPTS.values()))])


def bell(exchange: str, database: int) -> str:
    """Return the prefix of the channels for bells; the name of a queue follows.

    All databases of a Redis share their channels, so the prefix contains a `database` other than 0.
    """
    return f'{exchange}:{_BELL}:{database}:' if database else f'{exchange}:{_BELL}:'


def is_exchange(name: str) -> bool:
    """Return whether a system may use `name` as the prefix of its keys."""
    return _KINDS.isdisjoint(name.split(':')[1:])
