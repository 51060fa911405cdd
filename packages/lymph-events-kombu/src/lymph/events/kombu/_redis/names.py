"""How keys and channels in Redis begin: those of different exchanges never meet.

They are ``<exchange>:<kind>`` or ``<exchange>:<kind>:<name>``, see `scripts`. So an exchange may
hold colons, as in ``prod:shop``, but no kind behind one: keys of ``shop:ready`` could be those of
``shop``.
"""

from __future__ import annotations

import re

from lymph.events.kombu._redis.scripts import SCRIPTS

__all__ = ['DEFAULT_EXCHANGE', 'bell', 'is_exchange']

DEFAULT_EXCHANGE = 'lymph'

_BELL = 'bell'
_KINDS = frozenset([_BELL, *re.findall(r"\bkey\('(\w+)'", ''.join(SCRIPTS.values()))])


def bell(exchange: str, database: int) -> str:
    """Return how the channels begin that tell of queues.

    All databases of a Redis have their channels in common, so another one than 0 is in the name.
    """
    return f'{exchange}:{_BELL}:{database}:' if database else f'{exchange}:{_BELL}:'


def is_exchange(name: str) -> bool:
    """Tell whether a system may begin its keys with `name`."""
    return _KINDS.isdisjoint(name.split(':')[1:])
