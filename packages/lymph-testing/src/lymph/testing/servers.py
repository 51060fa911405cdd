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
    from lymph.testing._servers.base import Server, ServerError, ServerFailed, ServerMissing
    from lymph.testing._servers.cluster import RabbitmqCluster
    from lymph.testing._servers.ensemble import ZookeeperEnsemble
    from lymph.testing._servers.rabbitmq import RabbitmqServer
    from lymph.testing._servers.redis import RedisServer
    from lymph.testing._servers.zookeeper import ZookeeperServer
else:
    _HOMES = {
        'RabbitmqCluster': 'lymph.testing._servers.cluster',
        'RabbitmqServer': 'lymph.testing._servers.rabbitmq',
        'RedisServer': 'lymph.testing._servers.redis',
        'Server': 'lymph.testing._servers.base',
        'ServerError': 'lymph.testing._servers.base',
        'ServerFailed': 'lymph.testing._servers.base',
        'ServerMissing': 'lymph.testing._servers.base',
        'ZookeeperEnsemble': 'lymph.testing._servers.ensemble',
        'ZookeeperServer': 'lymph.testing._servers.zookeeper',
    }

    def __getattr__(name):
        if name not in _HOMES:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})
