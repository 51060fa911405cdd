"""The check `zookeeper`: whether all servers in the configuration accept connections."""

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
    """Connects to each server of the ensemble.

    The loss of one server goes unnoticed otherwise, until the ensemble loses its majority.
    """

    about = 'all servers of ZooKeeper'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Connect to all servers concurrently, for at most 3 s; return a finding for each failure.

        Raises NotChecked if the registry in use is not in ZooKeeper.
        """
        registry = around.registry
        if not isinstance(registry, ZookeeperServiceRegistry):
            raise NotChecked('the registry is not in ZooKeeper')
        trying = {server: gevent.spawn(_trouble, *server) for server in registry.servers}
        gevent.joinall(list(trying.values()))
        return server_findings(
            {join_address(*server): greenlet.value for server, greenlet in trying.items()}
        )


def server_findings(troubles: Mapping[str, str | None]) -> Iterator[Finding]:
    """Yield a finding for each server that cannot be reached.

    `troubles` has the reason for each server (``host:port``), or None if it can be reached.
    """
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
