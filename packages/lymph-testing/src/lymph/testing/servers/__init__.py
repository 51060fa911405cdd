"""Private servers for integration tests, with their own ports and data; they end with the test run.

Each name is imported from its own module on first use: a run that starts no server does not pay for
the pytest plugin.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    'RabbitmqCluster',
    'RabbitmqServer',
    'RedisServer',
    'Server',
    'ServerError',
    'ServerFailed',
    'ServerMissing',
    'ZookeeperEnsemble',
    'ZookeeperServer',
]

if TYPE_CHECKING:
    from lymph.testing.servers.base import Server, ServerError, ServerFailed, ServerMissing
    from lymph.testing.servers.cluster import RabbitmqCluster
    from lymph.testing.servers.ensemble import ZookeeperEnsemble
    from lymph.testing.servers.rabbitmq import RabbitmqServer
    from lymph.testing.servers.redis import RedisServer
    from lymph.testing.servers.zookeeper import ZookeeperServer
else:
    _HOMES = {
        'RabbitmqCluster': 'lymph.testing.servers.cluster',
        'RabbitmqServer': 'lymph.testing.servers.rabbitmq',
        'RedisServer': 'lymph.testing.servers.redis',
        'Server': 'lymph.testing.servers.base',
        'ServerError': 'lymph.testing.servers.base',
        'ServerFailed': 'lymph.testing.servers.base',
        'ServerMissing': 'lymph.testing.servers.base',
        'ZookeeperEnsemble': 'lymph.testing.servers.ensemble',
        'ZookeeperServer': 'lymph.testing.servers.zookeeper',
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})
