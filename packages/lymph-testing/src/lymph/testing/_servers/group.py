"""Several servers that start and close together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generic, TypeVar

from lymph.testing._servers.base import Server
from lymph.testing._servers.blocks import StartedInBlock

__all__ = ['ServerGroup']

S = TypeVar('S', bound=Server)


class ServerGroup(StartedInBlock, Generic[S]):
    """Several servers of one kind; a context manager that starts and closes them.

    Arguments: `folder` for data and logs (None: a temporary one, which `close` removes);
    `make(folder)` returns the servers, each with its own folder in it.
    """

    def __init__(self, folder: Path | str | None, make: Callable[[Path], Sequence[S]]) -> None:
        self._temporary = TemporaryDirectory(prefix='lymph-') if folder is None else None
        self.servers = tuple(make(Path(self._temporary.name if self._temporary else folder or '')))

    def start(self) -> None:
        """Start the servers that do not run, and wait until all answer.

        Raises ServerMissing and ServerFailed as `Server.start` does.
        """
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
