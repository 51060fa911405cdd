"""A private cluster of RabbitMQ servers, for tests that kill some of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lymph.testing._servers.base import ServerError
from lymph.testing._servers.epmd import PortMapper
from lymph.testing._servers.group import ServerGroup
from lymph.testing._servers.rabbitmq import RabbitmqServer

__all__ = ['RabbitmqCluster']


class RabbitmqCluster(ServerGroup[RabbitmqServer]):
    """Several RabbitMQ servers that share their queues; a context manager that starts and closes.

    Arguments: `size`, the number of servers (default 3, of which one may fail); `folder` for data
    and logs (default: a temporary one); `start_timeout` in seconds (default 90).
    """

    def __init__(
        self, size: int = 3, folder: Path | str | None = None, *, start_timeout: float = 90.0
    ) -> None:
        def make(base: Path) -> Sequence[RabbitmqServer]:
            self._mapper = PortMapper(base)
            return [
                RabbitmqServer(base / str(number), start_timeout=start_timeout, mapper=self._mapper)
                for number in range(1, size + 1)
            ]

        super().__init__(folder, make)
        for server in self.servers:
            server.peers = [each.node for each in self.servers]

    @property
    def urls(self) -> list[str]:
        """The URLs for clients, one for each server."""
        return [server.url for server in self.servers]

    def leader_of(self, queue: str) -> RabbitmqServer:
        """Return the server that leads a quorum queue. Raises ServerError if none does."""
        asked = next(server for server in self.servers if server.running)
        listed = asked.control('list_queues', 'name', 'leader')
        leaders = dict(line.split('\t') for line in listed.splitlines() if '\t' in line)
        for server in self.servers:
            if leaders.get(queue) == server.node:
                return server
        raise ServerError(f'nobody leads the queue {queue}: {listed.strip()}')

    def close(self) -> None:
        """Kill all servers and their port mapper, and remove the temporary folder."""
        try:
            self._mapper.close()
        finally:
            super().close()
