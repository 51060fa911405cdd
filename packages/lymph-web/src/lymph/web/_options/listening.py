"""Where an interface listens: a port or a unix socket, and errors that name the keys of both.

=============  ============  =====================================================================
key            default       meaning
=============  ============  =====================================================================
ip             container.ip  the address or host name to listen on
port           random        the port
reuse_port     false         processes of the same user may listen at the port together
listen                       ``unix:/path``: a unix socket, in place of `ip` and `port`
listen_mode    '0660'        who may connect to the unix socket: the mode of its file
=============  ============  =====================================================================
"""

from __future__ import annotations

import errno
import logging
import os
import re
from dataclasses import dataclass
from socket import gaierror
from typing import ClassVar, Final

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.printable import quoted
from lymph.core._system.inherited import SocketMismatch, misdirected
from lymph.core.addresses import check_host, is_loopback
from lymph.web._serving.listening import ListeningSocket, listen_at_file, listen_at_port
from lymph.web._serving.socket_files import LONGEST_PATH

__all__ = ['Listening']

logger = logging.getLogger(__name__)

_UNIX: Final = 'unix:'
_MODE = re.compile('0?[0-7]{3}')
_DEFAULT_MODE: Final = '0660'
_FILE_ADVICE: Final = {
    errno.EADDRINUSE: 'end the process that listens there, or choose another path',
    errno.EEXIST: 'move the file away, or choose another path',
    errno.ENOENT: 'make its folder first',
}


@dataclass(frozen=True)
class Listening:
    """An address to listen on, and where the configuration sets it.

    Port 0 is a random one. With a `path`, host and port are not used.
    """

    KEYS: ClassVar[tuple[str, ...]] = ('ip', 'port', 'reuse_port', 'listen', 'listen_mode')

    ip: str
    port: int
    ip_at: Location
    port_at: Location
    reuse_port: bool = False
    path: str = ''
    mode: int = int(_DEFAULT_MODE, 8)
    path_at: Location | None = None

    @classmethod
    def default(cls, ip: str, interface: str) -> Listening:
        """Return a random port of `ip`, before the section of the interface is read."""
        at = f'interfaces.{interface}'
        return cls(ip, 0, Location(f'{at}.ip'), Location(f'{at}.port'))

    @classmethod
    def from_config(cls, view: ConfigView, ip: str) -> Listening:
        """Read the keys; `ip` is the default. Raises ConfigurationError for invalid values."""
        path = _read_path(view)
        mode = _read_mode(view)
        reuse_port = view.get_bool('reuse_port', False)
        port = view.get_int('port', 0, minimum=0, maximum=65535)
        if path:
            for key in ('ip', 'port', 'reuse_port'):
                if view.get_raw(key) is not None:
                    raise view.error(key, 'there is `listen`, too; remove one of them')
        elif view.get_raw('listen_mode') is not None:
            raise view.error('listen_mode', 'it is for unix sockets; set `listen`, or remove it')
        if reuse_port and not port and not path:
            raise view.error('reuse_port', 'random ports are not shared; set `port`, or remove it')
        return cls(
            _read_ip(view, ip),
            port,
            view.locate('ip'),
            view.locate('port'),
            reuse_port,
            path,
            mode,
            view.locate('listen'),
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, as sockets take them."""
        return self.ip, self.port

    def open(self) -> ListeningSocket:
        """Return a socket that listens there, inherited or new. Raises ConfigurationError."""
        try:
            if self.path:
                return listen_at_file(self.path, self.mode)
            return listen_at_port(*self.address, reuse_port=self.reuse_port)
        except OSError as error:
            raise self.unusable(error) from error

    def warn_if_unreachable(self, interface: str, host: str, url: str) -> None:
        """Warn if `host`, in the announced `url`, is one that no other machine reaches."""
        if is_loopback(host):
            logger.warning(
                '%s: announced as %s, where no other machine reaches it; set %s to an '
                'address of this machine that others reach (0.0.0.0: all)',
                interface,
                url,
                self.ip_at.key,
            )

    def unusable(self, error: OSError) -> ConfigurationError:
        """Return the error for an address that cannot be listened on."""
        if self.path:
            return self._unusable_file(error)
        ip, port = self.address
        if isinstance(error, SocketMismatch):
            return ConfigurationError(
                f'cannot listen at port {port} of {ip} ({error.strerror}); '
                f'set {self.ip_at.key} to the host of that socket, or bind the socket to {ip}',
                self.ip_at,
            )
        # gaierror has numbers of its own, and gevent adds the address to the text of other errors.
        resolved = not isinstance(error, gaierror)
        reason = os.strerror(error.errno) if resolved and error.errno else error.strerror or error
        if not resolved or error.errno == errno.EADDRNOTAVAIL:
            return ConfigurationError(
                f'cannot listen at {ip} ({reason}); expected an address of this machine',
                self.ip_at,
            )
        in_use = error.errno == errno.EADDRINUSE
        advice = 'end what uses it, choose another port, or leave it out for a random one'
        if self.reuse_port:
            advice = 'all processes at the port have to set reuse_port, and belong to one user'
        return ConfigurationError(
            f'cannot listen at port {port} of {ip} ({reason}); '
            f'{(in_use and misdirected()) or advice}',
            self.port_at,
        )

    def _unusable_file(self, error: OSError) -> ConfigurationError:
        advice = _FILE_ADVICE.get(error.errno or 0, 'choose another path')
        reason = error.strerror or error
        return ConfigurationError(
            f'cannot listen at {quoted(_UNIX + self.path, 200)} ({reason}); {advice}', self.path_at
        )


def _read_ip(view: ConfigView, default: str) -> str:
    ip = view.get_raw('ip')
    if ip is None:
        return default
    try:
        return check_host(ip)
    except ValueError as error:
        raise view.error('ip', str(error)) from None


def _read_path(view: ConfigView) -> str:
    text = view.get_line('listen', '')
    if not text:
        return ''
    path = text.removeprefix(_UNIX)
    if path == text or not os.path.isabs(path) or path.endswith('/'):
        raise view.error(
            'listen',
            f'expected a unix socket such as unix:/run/shop/web.sock, found {quoted(text)}; '
            'for TCP set `ip` and `port`',
        )
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise view.error('listen', f'expected a path of at most {LONGEST_PATH} bytes')
    return path


def _read_mode(view: ConfigView) -> int:
    mode = view.get_raw('listen_mode', _DEFAULT_MODE)
    if isinstance(mode, str) and _MODE.fullmatch(mode):
        return int(mode, 8)
    raise view.error(
        'listen_mode',
        f"expected octal digits in quotes, such as '{_DEFAULT_MODE}', found {quoted(mode)}",
    )
