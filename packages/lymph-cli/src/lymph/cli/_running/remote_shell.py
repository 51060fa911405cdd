"""The client of a backdoor: a prompt whose lines run in an instance."""

from __future__ import annotations

import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any

import gevent
from click import UsageError
from click.exceptions import Exit

from lymph.cli._arguments.instances import find_instances, parse_wanted
from lymph.cli._arguments.prefixes import listed
from lymph.cli._running.prompting import history, read_line
from lymph.cli._running.sources import read_source
from lymph.cli.outcomes import FAILED, OperationFailed
from lymph.cli.output import say, whole, write
from lymph.client import Client
from lymph.core._backdoor.tokens import known_token
from lymph.core._backdoor.wire import MORE, OK, receive, send
from lymph.core.transport.endpoints import split_tcp

__all__ = ['OpenInstance', 'enter', 'find_backdoor']

_CONNECT = 5.0  # seconds
_SHOWN = 8  # characters of an identity
_ENDS = ('exit', 'exit()', 'quit', 'quit()')


@dataclass(frozen=True)
class OpenInstance:
    """An instance that can be entered, and its token."""

    name: str
    identity: str
    endpoint: str
    token: str


def find_backdoor(client: Client, remote: str, token: str | None) -> OpenInstance:
    """Return what is called NAME or NAME:IDENTITY; raises OperationFailed if there is not just one.

    Raises LookupFailure when no such service runs, UsageError for what names none.
    """
    try:
        wanted = parse_wanted(remote)
    except UsageError as error:
        raise UsageError(f'--remote: {error.message}') from error
    name = wanted.name
    # By identity, since one process may have several versions of the service.
    known = {each.identity: each for each in find_instances(client.container.registry, wanted)}
    # Without any, `find_instances` has raised LookupFailure.
    if len(known) != 1:
        names = listed(sorted(f'{name}:{identity}' for identity in known))
        raise OperationFailed(f'--remote={remote}: several instances fit, name one: {names}')
    (instance,) = known.values()
    if instance.backdoor_endpoint is None:
        raise OperationFailed(
            f'{name}:{instance.identity[:_SHOWN]} has no backdoor; start it with --debug, or set '
            'debug.backdoor_ip'
        )
    token = token or known_token(instance.identity)
    if token is None:
        raise OperationFailed(
            f'{name}:{instance.identity[:_SHOWN]} wants a token, which only its user on its '
            'machine has without being told; set debug.backdoor_token there, and give --token'
        )
    return OpenInstance(name, instance.identity, instance.backdoor_endpoint, token)


def enter(found: OpenInstance) -> None:
    """Show a prompt, or run what stands on stdin; raises Exit if that fails.

    Raises OperationFailed when there is no way in, or it ends.
    """
    try:
        sock = socket.create_connection(split_tcp(found.endpoint), _CONNECT)
        with sock:
            sock.settimeout(None)
            session = _ShellSession(sock)
            welcome = session.open(found.token)
            if sys.stdin.isatty():
                say(
                    f'Python {welcome} of {found.name}; container and interfaces are there. '
                    'Ctrl-D ends.'
                )
                session.interact()
            elif session.run(read_source(), last=True) != OK:
                raise Exit(FAILED)
    except (OSError, ValueError) as error:
        reason = getattr(error, 'strerror', None) or str(error)
        raise OperationFailed(
            f'cannot enter {found.name}:{found.identity[:_SHOWN]} at {found.endpoint}: {reason}'
        ) from error


class _ShellSession:
    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._names: list[str] = []

    def open(self, token: str) -> str:
        """Show the token and return the words of welcome; raises OSError."""
        send(self._sock, {'token': token})
        message = self._receive()
        if 'welcome' not in message:
            raise OSError(str(message.get('refused', 'it is no backdoor of lymph')))
        return str(message['welcome'])

    def run(self, source: str, last: bool = False) -> str:
        """Run source there, print what it prints, and return its outcome; raises OSError.

        Ctrl-C is passed on.
        """
        before = signal.getsignal(signal.SIGINT)
        watcher = gevent.signal_handler(signal.SIGINT, send, self._sock, {'interrupt': True})
        try:
            send(self._sock, {'run': source, 'last': last})
            while 'done' not in (message := self._receive()):
                write(whole(str(message.get('output', ''))))
        finally:
            watcher.cancel()
            signal.signal(signal.SIGINT, before)
        return str(message['done'])

    def interact(self) -> None:
        """Read lines until the end of the input; raises OSError."""
        # At the prompt Ctrl-C discards the lines; while code runs there, `run` passes it on.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        lines: list[str] = []
        with history(self._complete):
            while True:
                try:
                    line = read_line('... ' if lines else '>>> ')
                except EOFError:
                    write('\n')
                    return
                except KeyboardInterrupt:
                    write('\nKeyboardInterrupt\n')
                    lines.clear()
                    continue
                if not lines and line.strip() in _ENDS:
                    return
                lines.append(line)
                # The backdoor stores no lines, so it gets the block so far until that is complete.
                if self.run('\n'.join(lines)) != MORE:
                    lines.clear()

    def _complete(self, text: str, state: int) -> str | None:
        if state == 0:
            send(self._sock, {'complete': text})
            names: Any = self._receive().get('names')
            self._names = [str(name) for name in names] if isinstance(names, list) else []
        return self._names[state] if state < len(self._names) else None

    def _receive(self) -> dict[str, Any]:
        message = receive(self._sock)
        if message is None:
            raise OSError('it has ended')
        return message
