"""A private ZooKeeper server."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from lymph.testing._servers.base import Server, ServerMissing
from lymph.testing._servers.ports import free_port
from lymph.testing._servers.processes import GuardedProcess

__all__ = ['ZookeeperServer']

_DEBIAN_JARS = '/usr/share/java'
# The manifest of the first jar names its requirements, except for TLS and for logging.
_DEBIAN_NAMES = 'zookeeper', 'netty-codec', 'netty-resolver', 'slf4j-simple'
_HEAP = '128m'

# For a fast start and little memory: one thread collects garbage, no optimizing compiler, no
# statistics in /tmp. Without forceSync, a commit is not flushed to the disk: it survives the
# process, but not the machine.
_JAVA_OPTIONS = (
    f'-Xmx{_HEAP}',
    '-XX:+UseSerialGC',
    '-XX:TieredStopAtLevel=1',
    '-XX:-UsePerfData',
    '-Dzookeeper.forceSync=no',
    '-Dzookeeper.preAllocSize=1024',
    '-Dorg.slf4j.simpleLogger.showDateTime=true',
)


class ZookeeperServer(Server):
    """A private ZooKeeper server on 127.0.0.1.

    The environment variable ZOOKEEPER_PATH names the folder of its jars, which are Debian's or
    those of an unpacked release (manual, 4.3); the default is Debian's /usr/share/java.

    Arguments: `folder` for data and logs (default: a temporary one); `start_timeout` in seconds
    (default 60); `tick` in seconds (default 0.1), of which sessions last at least two; for a member
    of an ensemble its `number`, and `peers`, which maps the numbers of all members to
    'host:port:port'; `settings`, lines of its configuration by name, which win over the default
    ones.
    """

    name = 'ZooKeeper'

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        start_timeout: float = 60.0,
        tick: float = 0.1,
        number: int = 1,
        peers: Mapping[int, str] | None = None,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(folder, start_timeout=start_timeout)
        self.port = free_port()
        self._tick = tick
        self._number = number
        self._peers = dict(peers or {})
        self._settings = dict(settings or {})

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return f'127.0.0.1:{self.port}'

    @property
    def hosts(self) -> str:
        """The connection string for clients."""
        return self.address

    @property
    def mode(self) -> str | None:
        """Its role: 'standalone', 'leader' or 'follower'; None if it does not serve."""
        found = re.search(r'^Mode: (\w+)$', self._ask('srvr'), re.MULTILINE)
        return found.group(1) if found else None

    def _answers(self) -> bool:
        return self.mode is not None

    def _ask(self, command: str) -> str:
        """Return the answer to one of ZooKeeper's four-letter words, or '' without an answer."""
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=2.0) as connection:
                connection.sendall(command.encode())
                return b''.join(iter(lambda: connection.recv(4096), b'')).decode()
        except OSError:
            return ''

    def _spawn(self) -> GuardedProcess:
        """Start the process. Raises ServerMissing if ZooKeeper or Java is not installed."""
        java = shutil.which('java')
        if java is None:
            raise ServerMissing(
                'ZooKeeper needs Java, and there is no java on PATH: '
                'apt-get install default-jre-headless'
            )
        classpath = _classpath()
        main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'
        return GuardedProcess(
            [java, *_JAVA_OPTIONS, '-cp', classpath, main, str(self._write_configuration())],
            environment={'PATH': os.environ.get('PATH', os.defpath), 'LANG': 'C.UTF-8'},
            folder=self.folder,
            log=self.log,
        )

    def _write_configuration(self) -> Path:
        data = self.folder / 'data'
        data.mkdir(exist_ok=True)
        tick = round(self._tick * 1000)
        settings = {
            'tickTime': tick,
            'minSessionTimeout': 2 * tick,
            'maxSessionTimeout': 60_000,
            'dataDir': data,
            'clientPort': self.port,
            'clientPortAddress': '127.0.0.1',
            'maxClientCnxns': 0,
            'admin.enableServer': 'false',
            '4lw.commands.whitelist': '*',
        }
        if self._peers:
            # In ticks: enough for a busy machine to elect a leader and to copy the data.
            settings |= {'initLimit': 200, 'syncLimit': 50}
            settings |= {f'server.{number}': where for number, where in self._peers.items()}
            (data / 'myid').write_text(f'{self._number}\n')
        settings |= self._settings
        path = self.folder / 'zoo.cfg'
        path.write_text(''.join(f'{key}={value}\n' for key, value in settings.items()))
        return path


def _classpath() -> str:
    """Return the class path of Debian's jars, or of those of an unpacked release.

    Raises ServerMissing if the folder has neither.
    """
    folder = Path(os.environ.get('ZOOKEEPER_PATH') or _DEBIAN_JARS)
    if (folder / 'zookeeper.jar').exists():
        return ':'.join(f'{folder}/{name}.jar' for name in _DEBIAN_NAMES)
    for jars in (folder / 'lib', folder):
        if any(jars.glob('zookeeper-[0-9]*.jar')):
            return f'{folder}/conf:{jars}/*'
    raise ServerMissing(
        f'ZooKeeper is not installed: no zookeeper.jar in {folder}; '
        'apt-get install zookeeper, or set ZOOKEEPER_PATH to the folder of its jars'
    )
