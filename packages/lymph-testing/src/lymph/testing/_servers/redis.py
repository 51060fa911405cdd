"""A private Redis server."""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

from lymph.testing._servers.base import Server, ServerError, ServerMissing
from lymph.testing._servers.ports import free_port
from lymph.testing._servers.processes import GuardedProcess

__all__ = ['RedisServer']

_SETTINGS = {
    'bind': '127.0.0.1',
    'appendonly': 'yes',
    'appendfsync': 'always',
    'save': '""',
    'maxmemory-policy': 'noeviction',
    'set-proc-title': 'no',  # the arguments in `ps` show which test run it belongs to
}


class RedisServer(Server):
    """A private Redis server on 127.0.0.1, which writes each change to the disk.

    The program is `redis-server` on PATH.

    Arguments: `folder` for data and logs (default: a temporary one); `start_timeout` in seconds
    (default 60); `settings`, lines of ``redis.conf`` by name, which win over the default ones.
    """

    name = 'Redis'

    def __init__(
        self,
        folder: Path | str | None = None,
        *,
        start_timeout: float = 60.0,
        settings: dict[str, str] | None = None,
    ) -> None:
        super().__init__(folder, start_timeout=start_timeout)
        self.port = free_port()
        self._settings = {**_SETTINGS, **(settings or {})}

    @property
    def address(self) -> str:
        """Where it listens, as host:port."""
        return f'127.0.0.1:{self.port}'

    @property
    def url(self) -> str:
        """The URL for clients, without user and password."""
        return f'redis://{self.address}/0'

    def command(self, *words: str, timeout: float = 10.0) -> str:
        """Send a command whose answer is one value; return that as text, or '' for null.

        Raises ServerError if the answer is an error, and OSError if there is none within `timeout`
        seconds (default 10).
        """
        packed = b''.join(b'$%d\r\n%s\r\n' % (len(word), word) for word in map(str.encode, words))
        with socket.create_connection(('127.0.0.1', self.port), timeout=timeout) as connection:
            connection.sendall(b'*%d\r\n%s' % (len(words), packed))
            with connection.makefile('rb') as answers:
                answer = answers.readline().decode().strip()
                if answer.startswith('$') and answer != '$-1':
                    return answers.read(int(answer[1:])).decode()
        if answer.startswith('-'):
            raise ServerError(f'{" ".join(words)}: {answer[1:]}')
        return '' if answer == '$-1' else answer[1:]

    def _answers(self) -> bool:
        """Return whether it answers a ping, which it does once its data is loaded."""
        try:
            return self.command('PING', timeout=2.0) != ''
        except ServerError as error:
            return str(error).startswith(('PING: NOAUTH', 'PING: NOPERM'))
        except OSError:
            return False

    def _spawn(self) -> GuardedProcess:
        """Start the process. Raises ServerMissing if Redis is not installed."""
        program = shutil.which('redis-server')
        if program is None:
            raise ServerMissing(
                'Redis is not installed: no redis-server on PATH; apt-get install redis-server'
            )
        lines = {'port': str(self.port), 'dir': f'"{self.folder}"', **self._settings}
        configuration = self.folder / 'redis.conf'
        configuration.write_text(''.join(f'{name} {value}\n' for name, value in lines.items()))
        return GuardedProcess(
            [program, str(configuration)],
            environment={'PATH': os.environ.get('PATH', os.defpath), 'LANG': 'C.UTF-8'},
            folder=self.folder,
            log=self.log,
        )
