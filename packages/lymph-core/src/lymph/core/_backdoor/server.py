"""The port of a backdoor: clients that send the token get a prompt in this process.

Source: the manual, Debugging Configuration. A container opens a backdoor only if
`debug.backdoor_ip` is set or --debug is given. A client with the token can do whatever the process
can. Nothing is encrypted, so by default it listens at loopback.
"""

from __future__ import annotations

import hmac
import logging
import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent.lock import RLock
from gevent.server import StreamServer

from lymph.core._backdoor.console import Console, EvaluationInterrupted
from lymph.core._backdoor.tokens import token_file
from lymph.core._backdoor.wire import FAILED, LARGEST, TOKEN_LARGEST, receive, send
from lymph.core._system.forks import abandon_in_children
from lymph.core.addresses import join_address
from lymph.core.failures import Killed, error_line
from lymph.core.greenlets import Greenlet, Pool
from lymph.core.monitoring.log_limits import LimitedLog

__all__ = ['Backdoor']

logger = logging.getLogger(__name__)

_PATIENCE = 5.0  # seconds that a client has to send the token
_BACKLOG = 8
_STRANGERS = 8  # connections at once that have not sent the token yet
_OUTPUT = 65536  # characters of one message


class Backdoor:
    """Listens at `ip`, on any free port, until `close`.

    `namespace()` returns the names that a prompt defines. The token is stored in a file that only
    the user of this process can read; see `tokens`. Raises OSError if `ip` cannot be listened at,
    OSError or ConfigurationError if the file cannot be made.
    """

    def __init__(
        self, ip: str, identity: str, token: str, namespace: Callable[[], dict[str, Any]]
    ) -> None:
        self._token = token
        self._namespace = namespace
        self._identity = identity
        self._log = LimitedLog(logger)
        self._pool = Pool()
        self._strangers = 0
        self._server = StreamServer((ip, 0), self._serve, backlog=_BACKLOG, spawn=self._pool.spawn)
        self._server.start()
        try:
            self._file = token_file(identity, token)
        except BaseException:
            self._server.close()
            raise
        self.endpoint = f'tcp://{join_address(ip, self._server.server_port or 0)}'
        abandon_in_children(self)
        logger.warning('there is a backdoor at %s for whoever has its token', self.endpoint)

    def close(self) -> None:
        """Close the port and end all prompts."""
        self._server.close()
        self._file.release()
        self._pool.kill()
        self._log.close()

    def abandon(self) -> None:
        """In a forked child, close the copy of the port; it stays the parent's."""
        self._server.close()

    def _serve(self, sock: Any, address: Any) -> None:
        peer = join_address(*address[:2])
        try:
            if self._admit(sock, peer):
                send(sock, {'welcome': f'in {self._identity}'})
                _PromptSession(sock, self._namespace()).run()
        except Killed:
            raise
        except OSError as error:
            self._log.write(logging.INFO, peer, 'backdoor: %s left: %s', peer, error_line(error))
        finally:
            sock.close()

    def _admit(self, sock: Any, peer: str) -> bool:
        if self._strangers >= _STRANGERS:
            send(sock, {'refused': 'too many connect at once; try again'})
            return False
        self._strangers += 1
        try:
            sock.settimeout(_PATIENCE)
            message = receive(sock, TOKEN_LARGEST)
            sock.settimeout(None)
        finally:
            self._strangers -= 1
        given = (message or {}).get('token')
        if isinstance(given, str) and hmac.compare_digest(given.encode(), self._token.encode()):
            logger.warning('backdoor: %s has a prompt', peer)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            return True
        self._log.write(logging.WARNING, 'token', 'backdoor: %s has not the token', peer)
        send(sock, {'refused': 'the token is wrong'})
        return False


class _PromptSession:
    """One prompt: reads requests, also while code runs, so that the code can be interrupted."""

    def __init__(self, sock: Any, namespace: dict[str, Any]) -> None:
        self._sock = sock
        self._lock = RLock()
        self._console = Console(namespace, self._write)
        self._running: Any = None

    def run(self) -> None:
        """Serve requests until the connection ends; then end the code that is running."""
        try:
            while (message := receive(self._sock, LARGEST)) is not None:
                self._obey(message)
        finally:
            if self._running is not None:
                self._running.kill(block=False)

    def _obey(self, message: dict[str, Any]) -> None:
        source, text = message.get('run'), message.get('complete')
        if 'interrupt' in message:
            if self._running is not None:
                gevent.kill(self._running, EvaluationInterrupted)
        elif isinstance(source, str) and self._running is None:
            self._running = Greenlet(self._console.run, source, message.get('last') is True)
            self._running.link(self._done)
            self._running.start()
        elif isinstance(text, str) and self._running is None:
            self._send({'names': self._console.names(text)})
        else:
            raise OSError('expected a request')

    def _done(self, ran: Any) -> None:
        """Send the outcome of code that ended; ``failed`` if it was interrupted before it began."""
        self._running = None
        self._send({'done': ran.value if isinstance(ran.value, str) else FAILED})

    def _write(self, text: str) -> None:
        text = text.encode(errors='backslashreplace').decode()
        for start in range(0, len(text), _OUTPUT):
            self._send({'output': text[start : start + _OUTPUT]})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            with self._lock:
                send(self._sock, message)
        except OSError:
            self._sock.close()  # so that `run` notices that the client is gone
