"""A private ensemble of ZooKeeper servers, for tests that kill one of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lymph.testing._servers.group import ServerGroup
from lymph.testing._servers.ports import free_port
from lymph.testing._servers.zookeeper import ZookeeperServer

__all__ = ['ZookeeperEnsemble']


class ZookeeperEnsemble(ServerGroup[ZookeeperServer]):
    """Several ZooKeeper servers that elect a leader; a context manager that starts and closes them.

    Arguments: `size`, the number of servers (default 3, of which one may fail); `folder` for data
    and logs (default: a temporary one); `start_timeout` in seconds (default 60); `tick` in seconds
    (default 0.1).
    """

    def __init__(
        self,
        size: int = 3,
        folder: Path | str | None = None,
        *,
        start_timeout: float = 60.0,
        tick: float = 0.1,
    ) -> None:
        def make(base: Path) -> Sequence[ZookeeperServer]:
            numbers = range(1, size + 1)
            peers = {number: f'127.0.0.1:{free_port()}:{free_port()}' for number in numbers}
            return [
                ZookeeperServer(
                    base / str(number),
                    start_timeout=start_timeout,
                    tick=tick,
                    number=number,
                    peers=peers,
                )
                for number in numbers
            ]

        super().__init__(folder, make)

    @property
    def hosts(self) -> str:
        """The connection string for clients, with all servers."""
        return ','.join(server.hosts for server in self.servers)

    @property
    def leader(self) -> ZookeeperServer | None:
        """The server that leads, or None if none does."""
        return next((server for server in self.servers if server.mode == 'leader'), None)
