"""The port of a backdoor: whoever has the token gets a prompt in this process.

Source: the manual, Debugging Configuration. There is one only where `debug.backdoor_ip` or --debug
ask for it. Who knows the token can do whatever the process can; nothing is encrypted, so it listens
at loopback unless it is told otherwise.
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

_PATIENCE = 5.0  # seconds for the token
_BACKLOG = 8
_STRANGERS = 8  # connections at once that have shown no token
_OUTPUT = 65536  # characters of one message


class Backdoor:
    """Listens at `ip`, on any free port, from its making until `close`; raises OSError.

    `namespace()` returns what a prompt has. The token is kept for the user of this process; see
    `tokens`.
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
        """End the port and all prompts."""
        self._server.close()
        self._file.release()
        self._pool.kill()
        self._log.close()

    def abandon(self) -> None:
        """Close the port in a forked child; it stays the parent's."""
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
    """One prompt: reads requests, and lets code be interrupted while it runs."""

    def __init__(self, sock: Any, namespace: dict[str, Any]) -> None:
        self._sock = sock
        self._lock = RLock()
        self._console = Console(namespace, self._write)
        self._running: Any = None

    def run(self) -> None:
        """Serve until the end of the connection, which ends what runs."""
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
        """Tell the outcome; one that was interrupted before it began has none of its own."""
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
            self._sock.close()  # whoever reads learns that the client has gone
