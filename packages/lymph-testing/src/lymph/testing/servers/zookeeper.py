"""A private ZooKeeper server."""

from __future__ import annotations

import os
import re
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

from lymph.testing.servers.base import Server, ServerMissing
from lymph.testing.servers.ports import free_port
from lymph.testing.servers.processes import GuardedProcess

__all__ = ['ZookeeperServer']

_DEBIAN_JARS = '/usr/share/java'
# The first names what it needs, but not what TLS needs, nor where to log.
_DEBIAN_NAMES = 'zookeeper', 'netty-codec', 'netty-resolver', 'slf4j-simple'
_HEAP = '128m'

# Quick to start and small: one garbage collector thread, no optimizing compiler, no statistics in
# /tmp. Without forceSync a commit is not flushed to the disk; it survives the process, not the
# machine.
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
    """A ZooKeeper server of this process alone, on 127.0.0.1.

    The jars are taken from the folder that the environment variable ZOOKEEPER_PATH names (a folder
    of Debian's jars or an unpacked release; manual 4.3), by default from Debian's /usr/share/java.

    Arguments: the folder for data and logs (default: temporary); the longest start in seconds
    (default 60); the tick in seconds (default 0.1), sessions expire after at least two of them; for
    a member of an ensemble its number, its `peers` as number -> 'host:port:port', itself included;
    further lines of its configuration as `settings`.
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
        """What it is: 'standalone', 'leader' or 'follower'; None while it does not serve."""
        found = re.search(r'^Mode: (\w+)$', self._ask('srvr'), re.MULTILINE)
        return found.group(1) if found else None

    def _answers(self) -> bool:
        return self.mode is not None

    def _ask(self, command: str) -> str:
        """Send one of ZooKeeper's four letter words; the answer is empty when there is none."""
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=2.0) as connection:
                connection.sendall(command.encode())
                return b''.join(iter(lambda: connection.recv(4096), b'')).decode()
        except OSError:
            return ''

    def _spawn(self) -> GuardedProcess:
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
            # counted in ticks: what a loaded machine needs to elect and to copy
            settings |= {'initLimit': 200, 'syncLimit': 50}
            settings |= {f'server.{number}': where for number, where in self._peers.items()}
            (data / 'myid').write_text(f'{self._number}\n')
        settings |= self._settings
        path = self.folder / 'zoo.cfg'
        path.write_text(''.join(f'{key}={value}\n' for key, value in settings.items()))
        return path


def _classpath() -> str:
    """The class path of Debian's jars (they name what they need) or of an unpacked release."""
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
