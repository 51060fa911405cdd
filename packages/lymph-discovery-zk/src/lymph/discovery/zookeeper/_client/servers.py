"""The check `zookeeper`: do all servers that the configuration names let us in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import gevent

from lymph.core._system.connecting import create_connection
from lymph.core.addresses import join_address
from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings
from lymph.discovery.zookeeper._registry.registry import ZookeeperServiceRegistry

__all__ = ['ServersCheck', 'server_findings']

_TIMEOUT = 3.0  # seconds for a connection


class ServersCheck(Check):
    """Connects to each server of the ensemble: one that is away is not missed before the next."""

    about = 'all servers of ZooKeeper'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Connect; raises NotChecked for another registry."""
        registry = around.registry
        if not isinstance(registry, ZookeeperServiceRegistry):
            raise NotChecked('the registry is not in ZooKeeper')
        trying = {server: gevent.spawn(_trouble, *server) for server in registry.servers}
        gevent.joinall(list(trying.values()))
        return server_findings(
            {join_address(*server): greenlet.value for server, greenlet in trying.items()}
        )


def server_findings(troubles: Mapping[str, str | None]) -> Iterator[Finding]:
    """Yield the servers that cannot be connected to; None is no trouble."""
    there = sum(trouble is None for trouble in troubles.values())
    for server, trouble in sorted(troubles.items()):
        if trouble is not None:
            yield Finding(
                f'all {len(troubles)} servers of zkclient.hosts',
                f'{there}, for {server} does not answer: {trouble}',
                'start it, or take it out of container.registry.zkclient.hosts; ZooKeeper needs '
                'more than half of its servers',
            )


def _trouble(host: str, port: int) -> str | None:
    try:
        create_connection((host, port), _TIMEOUT).close()
    except OSError as error:
        return str(error.strerror or error)
    return None
