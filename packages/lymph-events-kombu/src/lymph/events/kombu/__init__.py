"""Events through RabbitMQ or Redis.

`KombuEventSystem` is imported when it is first used. kombu imports this package for its serializers
in every process that uses kombu, and these need nothing but msgpack.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = ['BrokerError', 'KombuEventSystem']

if TYPE_CHECKING:
    from lymph.events.kombu._connecting.errors import BrokerError
    from lymph.events.kombu._connecting.event_system import KombuEventSystem
else:
    _HOMES = {
        'BrokerError': 'lymph.events.kombu._connecting.errors',
        'KombuEventSystem': 'lymph.events.kombu._connecting.event_system',
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})
