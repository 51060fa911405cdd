"""A private cluster of RabbitMQ servers, for tests that kill some of them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lymph.testing.servers.base import ServerError
from lymph.testing.servers.epmd import PortMapper
from lymph.testing.servers.rabbitmq import RabbitmqServer

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['RabbitmqCluster']


class RabbitmqCluster:
    """Several RabbitMQ servers that share their queues; a context manager that starts and closes.

    Arguments: how many (default 3: one may be lost); the folder for data and logs (default:
    temporary); the longest start in seconds (default 90).
    """

    def __init__(
        self, size: int = 3, folder: Path | str | None = None, *, start_timeout: float = 90.0
    ) -> None:
        self._temporary = TemporaryDirectory(prefix='lymph-') if folder is None else None
        base = Path(self._temporary.name if self._temporary else folder or '')
        self._mapper = PortMapper(base)
        self.servers = tuple(
            RabbitmqServer(base / str(number), start_timeout=start_timeout, mapper=self._mapper)
            for number in range(1, size + 1)
        )
        for server in self.servers:
            server.peers = [each.node for each in self.servers]

    @property
    def urls(self) -> list[str]:
        """The URLs for clients, one of each server."""
        return [server.url for server in self.servers]

    def leader_of(self, queue: str) -> RabbitmqServer:
        """Return the server that leads a quorum queue; raises `ServerError` while none does."""
        asked = next(server for server in self.servers if server.running)
        listed = asked.control('list_queues', 'name', 'leader')
        leaders = dict(line.split('\t') for line in listed.splitlines() if '\t' in line)
        for server in self.servers:
            if leaders.get(queue) == server.node:
                return server
        raise ServerError(f'nobody leads the queue {queue}: {listed.strip()}')

    def start(self) -> None:
        """Start what does not run, and wait until all answer. Raises as `Server.start`."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.wait_until_ready()

    def close(self) -> None:
        """Kill all servers and remove the temporary folder."""
        with ExitStack() as stack:
            if self._temporary is not None:
                stack.callback(self._temporary.cleanup)
            stack.callback(self._mapper.close)
            for server in self.servers:
                stack.callback(server.close)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
