"""A private port mapper of Erlang, through which the nodes of RabbitMQ find each other."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lymph.testing._servers.base import ServerMissing
from lymph.testing._servers.ports import free_port
from lymph.testing._servers.processes import GuardedProcess

__all__ = ['PortMapper']


class PortMapper:
    """An epmd on a free port of 127.0.0.1, with its log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._process: GuardedProcess | None = None

    def launch(self) -> None:
        """Start it if it does not run. Raises ServerMissing if Erlang is not installed."""
        if self._process is not None and self._process.running:
            return
        epmd = shutil.which('epmd')
        if epmd is None:
            raise ServerMissing(
                'RabbitMQ needs Erlang, and there is no epmd on PATH: apt-get install erlang-base'
            )
        self._process = GuardedProcess(
            [epmd, '-address', '127.0.0.1', '-port', str(self.port)],
            environment={'PATH': os.environ.get('PATH', os.defpath)},
            folder=self._folder,
            log=self._folder / 'epmd.log',
        )

    def close(self) -> None:
        """Kill it."""
        if self._process is not None:
            self._process.end()
            self._process = None
