"""A private RabbitMQ server."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from lymph.testing._servers.base import Server, ServerError, ServerMissing
from lymph.testing._servers.epmd import PortMapper
from lymph.testing._servers.ports import free_port
from lymph.testing._servers.processes import GuardedProcess

__all__ = ['RabbitmqServer']

# Debian's /usr/sbin/rabbitmq-server changes the user; the scripts that it calls do not.
_DEBIAN_SCRIPTS = '/usr/lib/rabbitmq/bin'

# The message of rabbitmqctl about a server that already listens, but has not finished booting.
_BOOTING = "requires the 'rabbit' app to be running"

# One scheduler is enough for a test, and leaves the processor to the other nodes of the test run.
_ERLANG_ARGUMENTS = '+S 1:1 -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}'


class RabbitmqServer(Server):
    """A private RabbitMQ server on 127.0.0.1, with its own Erlang port mapper.

    The environment variable RABBITMQ_PATH names the folder of its scripts; the default is Debian's
    /usr/lib/rabbitmq/bin. The user is guest, the only virtual host is `/`, no plugin is enabled.

    Arguments: `folder` for data and logs (default: a temporary one); `start_timeout` in seconds
    (default 60); `mapper`, the port mapper that all nodes of a cluster share. For a cluster, set
    `peers` to the names of all its nodes before the first start.
    """

    name = 'RabbitMQ'

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        start_timeout: float = 60.0,
        mapper: PortMapper | None = None,
    ) -> None:
        super().__init__(folder, start_timeout=start_timeout)
        self.peers: Sequence[str] = ()
        self.port = free_port()
        self.node = f'rabbit-{self.port}@localhost'
        self._distribution_port = free_port()
        self._mapper = mapper or PortMapper(self.folder)
        self._own_mapper = mapper is None

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return f'127.0.0.1:{self.port}'

    @property
    def url(self) -> str:
        """The URL for clients, with user, password and virtual host."""
        return f'amqp://guest:guest@{self.address}//'

    def control(self, *arguments: str, timeout: float = 60.0) -> str:
        """Run rabbitmqctl with these arguments on this server; return its output.

        While the server is booting, it is tried again.

        Raises ServerError if it fails or takes longer than `timeout` seconds (default 60).
        """
        deadline = time.monotonic() + timeout
        while True:
            done = self._run_control(arguments, timeout)
            said = (done.stderr or done.stdout).strip()
            if done.returncode == 0:
                return done.stdout
            if not (_BOOTING in said and self._answers() and time.monotonic() < deadline):
                raise ServerError(
                    f'rabbitmqctl {" ".join(arguments)} ended with exit status '
                    f'{done.returncode}: {said}'
                )

    def _run_control(
        self, arguments: Sequence[str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Run rabbitmqctl once. Raises ServerError if it does not end in time."""
        command = [str(_scripts() / 'rabbitmqctl'), '--quiet', '--node', self.node, *arguments]
        try:
            return subprocess.run(
                command,
                env=self._environment(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired as error:
            raise ServerError(
                f'rabbitmqctl {" ".join(arguments)} did not end within {timeout:g} s'
            ) from error

    def close(self) -> None:
        """Kill it and its port mapper, and remove its temporary folder."""
        if self._own_mapper:
            self._mapper.close()
        super().close()

    def _answers(self) -> bool:
        """Return whether it greets a client (AMQP 0-9-1, 4.2.2): it does once it has its queues."""
        try:
            with socket.create_connection(('127.0.0.1', self.port), timeout=2.0) as connection:
                connection.sendall(b'AMQP\x00\x00\x09\x01')
                return connection.recv(1) == b'\x01'  # a method frame: Connection.Start
        except OSError:
            return False

    def _spawn(self) -> GuardedProcess:
        server = _scripts() / 'rabbitmq-server'
        self._write_configuration()
        self._mapper.launch()
        return GuardedProcess(
            [str(server)], environment=self._environment(), folder=self.folder, log=self.log
        )

    def _write_configuration(self) -> None:
        lines = [f'listeners.tcp.1 = {self.address}']
        if self.peers:
            lines.append('cluster_formation.peer_discovery_backend = classic_config')
            lines += [
                f'cluster_formation.classic_config.nodes.{number} = {node}'
                for number, node in enumerate(self.peers, 1)
            ]
            self._write_cookie()
        (self.folder / 'rabbitmq.conf').write_text('\n'.join(lines) + '\n')
        (self.folder / 'enabled_plugins').write_text('[].\n')
        (self.folder / 'rabbitmq-env.conf').touch()

    def _write_cookie(self) -> None:
        """Write the secret that the nodes of a cluster share; otherwise each makes its own."""
        cookie = self.folder / '.erlang.cookie'
        if not cookie.exists():
            cookie.touch(0o400)
            os.chmod(cookie, 0o600)
            cookie.write_text('LYMPH')
            os.chmod(cookie, 0o400)

    def _environment(self) -> dict[str, str]:
        """Return all variables that the scripts read: their defaults lead to /etc and /var."""
        folder = str(self.folder)
        return {
            'PATH': os.environ.get('PATH', os.defpath),
            'LANG': 'C.UTF-8',
            'HOME': folder,
            'ERL_CRASH_DUMP_BYTES': '0',
            'ERL_EPMD_ADDRESS': '127.0.0.1',
            'ERL_EPMD_PORT': str(self._mapper.port),
            'RABBITMQ_ADVANCED_CONFIG_FILE': f'{folder}/advanced.config',
            'RABBITMQ_CONFIG_FILE': f'{folder}/rabbitmq.conf',
            'RABBITMQ_CONFIG_FILES': f'{folder}/conf.d',
            'RABBITMQ_CONF_ENV_FILE': f'{folder}/rabbitmq-env.conf',
            'RABBITMQ_DIST_PORT': str(self._distribution_port),
            'RABBITMQ_ENABLED_PLUGINS_FILE': f'{folder}/enabled_plugins',
            'RABBITMQ_LOGS': '-',
            'RABBITMQ_LOG_BASE': f'{folder}/log',
            'RABBITMQ_MNESIA_BASE': f'{folder}/data',
            'RABBITMQ_NODENAME': self.node,
            'RABBITMQ_PID_FILE': f'{folder}/server.pid',
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': _ERLANG_ARGUMENTS,
            # The script becomes the server instead of waiting for it.
            'RUNNING_UNDER_SYSTEMD': 'true',
        }


def _scripts() -> Path:
    """Return the folder of the scripts. Raises ServerMissing if they are not there."""
    folder = Path(os.environ.get('RABBITMQ_PATH') or _DEBIAN_SCRIPTS)
    if not (folder / 'rabbitmq-server').exists():
        raise ServerMissing(
            f'RabbitMQ is not installed: no rabbitmq-server in {folder}; '
            'apt-get install rabbitmq-server, or set RABBITMQ_PATH to the folder of its scripts'
        )
    return folder
