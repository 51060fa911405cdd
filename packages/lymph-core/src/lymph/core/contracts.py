"""The contract of each group of plugins, and which distributions of lymph provide known plugins.

These are data, published in the entry-point groups `lymph.contracts` and `lymph.packages` (see
`lymph.config.plugins` and `lymph.config.references`). They import nothing: a contract names its
class by a reference.

Backends of other distributions are listed here because a distribution that is not installed cannot
publish them: the error for such a backend then says which distribution to install.
"""

from __future__ import annotations

from typing import Final

from lymph.config.plugins import Contract

__all__ = [
    'CHECKS',
    'EVENT_SYSTEMS',
    'PACKAGES',
    'PARTITIONERS',
    'PLUGINS',
    'REGISTRIES',
    'SHELL_NAMES',
    'TRANSPORTS',
]

_ZOOKEEPER: Final = 'lymph-discovery-zk'

#: Group `lymph.discovery`: service registries.
REGISTRIES: Final = Contract(
    'lymph.discovery.base:BaseServiceRegistry', known={'zookeeper': _ZOOKEEPER}
)
#: Group `lymph.events`: event systems.
EVENT_SYSTEMS: Final = Contract(
    'lymph.events.base:BaseEventSystem', known={'kombu': 'lymph-events-kombu'}
)
#: Group `lymph.partitioners`: they decide which instance consumes which partition of serial events.
PARTITIONERS: Final = Contract(
    'lymph.core.partitioning:Partitioner', known={'zookeeper': _ZOOKEEPER}
)
#: Group `lymph.transports`: links that carry frames between hosts.
TRANSPORTS: Final = Contract('lymph.core.transport.base:Transport')
#: Group `lymph.plugins`: plugins that the section `plugins` installs into a container.
PLUGINS: Final = Contract('lymph.core.plugins:Plugin')
#: Group `lymph.doctor`: checks of `lymph doctor`.
CHECKS: Final = Contract('lymph.core.diagnosis:Check')
#: Group `lymph.shell`: functions that get the names of a prompt and return additional ones.
SHELL_NAMES: Final = Contract('collections.abc:Callable', instance=True)

#: The packages of lymph that other distributions provide: package -> distribution.
PACKAGES: Final = {
    'lymph.cli': 'lymph-cli',
    'lymph.discovery.zookeeper': _ZOOKEEPER,
    'lymph.events.kombu': 'lymph-events-kombu',
    'lymph.services.node': 'lymph-cli',
    'lymph.testing': 'lymph-testing',
    'lymph.web': 'lymph-web',
}
