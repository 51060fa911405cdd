"""A private ensemble of ZooKeeper servers, for tests that kill one of them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from lymph.testing.servers.ports import free_port
from lymph.testing.servers.zookeeper import ZookeeperServer

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['ZookeeperEnsemble']


class ZookeeperEnsemble:
    """Several ZooKeeper servers that elect a leader; a context manager that starts and closes them.

    Arguments: how many (default 3: one may be lost); the folder for data and logs (default:
    temporary); the longest start in seconds (default 60); the tick in seconds (default 0.1).
    """

    def __init__(
        self,
        size: int = 3,
        folder: Path | str | None = None,
        *,
        start_timeout: float = 60.0,
        tick: float = 0.1,
    ) -> None:
        self._temporary = TemporaryDirectory(prefix='lymph-') if folder is None else None
        base = Path(self._temporary.name if self._temporary else folder or '')
        numbers = range(1, size + 1)
        peers = {number: f'127.0.0.1:{free_port()}:{free_port()}' for number in numbers}
        self.servers = tuple(
            ZookeeperServer(
                base / str(number),
                start_timeout=start_timeout,
                tick=tick,
                number=number,
                peers=peers,
            )
            for number in numbers
        )

    @property
    def hosts(self) -> str:
        """The connection string for clients: all servers."""
        return ','.join(server.hosts for server in self.servers)

    @property
    def leader(self) -> ZookeeperServer | None:
        """The server that leads; None while there is none."""
        return next((server for server in self.servers if server.mode == 'leader'), None)

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
