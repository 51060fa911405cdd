"""How keys and channels in Redis begin: those of different exchanges never meet.

They are ``<exchange>:<kind>`` or ``<exchange>:<kind>:<name>``, see `scripts`. So an exchange may
hold colons, as in ``prod:shop``, but no kind behind one: keys of ``shop:ready`` could be those of
``shop``.
"""

from __future__ import annotations

import re

from lymph.events.kombu.redis.scripts import SCRIPTS

__all__ = ['DEFAULT_EXCHANGE', 'is_exchange']

DEFAULT_EXCHANGE = 'lymph'

_KINDS = frozenset(re.findall(r"\bkey\('(\w+)'", ''.join(SCRIPTS.values())))


def is_exchange(name: str) -> bool:
    """Tell whether a system may begin its keys with `name`."""
    return _KINDS.isdisjoint(name.split(':')[1:])
