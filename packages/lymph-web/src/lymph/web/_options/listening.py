"""Where an interface listens: the keys `ip` and `port`, and errors that name them."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import dataclass
from socket import gaierror
from typing import ClassVar

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.core._system.inherited import SocketMismatch, misdirected
from lymph.core.addresses import check_host, is_loopback, join_address

__all__ = ['Listening']

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listening:
    """An address to listen on, and where the configuration sets it. Port 0 is a random one."""

    KEYS: ClassVar[tuple[str, ...]] = ('ip', 'port')

    ip: str
    port: int
    ip_at: Location
    port_at: Location

    @classmethod
    def default(cls, ip: str, interface: str) -> Listening:
        """Return a random port of `ip`, before the section of the interface is read."""
        at = f'interfaces.{interface}'
        return cls(ip, 0, Location(f'{at}.ip'), Location(f'{at}.port'))

    @classmethod
    def from_config(cls, view: ConfigView, ip: str) -> Listening:
        """Read the keys; `ip` is the default. Raises ConfigurationError for invalid values."""
        port = view.get_int('port', 0, minimum=0, maximum=65535)
        return cls(_read_ip(view, ip), port, view.locate('ip'), view.locate('port'))

    @property
    def address(self) -> tuple[str, int]:
        """The address as sockets take it."""
        return self.ip, self.port

    def warn_if_unreachable(self, interface: str, host: str, port: int) -> None:
        """Warn that `host`, announced for this address, is one that no other machine reaches."""
        if is_loopback(host):
            logger.warning(
                '%s: announced as http://%s, where no other machine reaches it; set %s to an '
                'address of this machine that others reach (0.0.0.0: all)',
                interface,
                join_address(host, port),
                self.ip_at.key,
            )

    def unusable(self, error: OSError) -> ConfigurationError:
        """Return the error for an address that cannot be listened on."""
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
        return ConfigurationError(
            f'cannot listen at port {port} of {ip} ({reason}); '
            f'{(in_use and misdirected()) or advice}',
            self.port_at,
        )


def _read_ip(view: ConfigView, default: str) -> str:
    ip = view.get_raw('ip')
    if ip is None:
        return default
    try:
        return check_host(ip)
    except ValueError as error:
        raise view.error('ip', str(error)) from None
