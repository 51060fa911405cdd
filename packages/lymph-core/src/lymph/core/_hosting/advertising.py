"""Which address others are told: what a container listens at need not be where it is reached."""

from __future__ import annotations

import logging
import socket

from gevent.monkey import get_original

from lymph.config import ConfigurationError, Location
from lymph.core.addresses import Address, is_loopback, is_wildcard, numeric
from lymph.core.transport.endpoints import join_tcp, scheme_of, split_tcp

__all__ = ['Advertising', 'route_out']

logger = logging.getLogger(__name__)

_Socket: type[socket.socket] = get_original('socket', 'socket')

# Addresses for documentation (RFC 5737, RFC 3849): they belong to nobody, and are routed like any
# address far away. Port 9 is that of the discard protocol.
_FAR_AWAY = {socket.AF_INET: ('192.0.2.1', 9), socket.AF_INET6: ('2001:db8::1', 9)}
_LOOPBACK = {socket.AF_INET: '127.0.0.1', socket.AF_INET6: '::1'}


def route_out(family: int) -> str | None:
    """Return the address of this machine that its default route leaves from, None without a route.

    A UDP socket is connected, which chooses the route and sends nothing.
    """
    try:
        with _Socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect(_FAR_AWAY[socket.AddressFamily(family)])
            host = str(sock.getsockname()[0])
    except OSError:
        return None
    address = numeric(host)
    if address is None or address.is_unspecified or address.is_loopback or address.is_link_local:
        return None
    return host


class Advertising:
    """Turns addresses that are listened at into those that are announced.

    `ip` is `container.ip`, which stands at `where`; `advertise` is `container.advertise`, if that
    is set. With `beyond_host`, what is announced is read on other machines.
    """

    def __init__(
        self, ip: str, advertise: Address | None, beyond_host: bool, where: Location | str
    ) -> None:
        self._ip = ip
        self._where = where
        self._advertise = advertise
        self._beyond_host = beyond_host

    def host(self, ip: str) -> str:
        """Return the host to announce for a port that is listened at on `ip`.

        That is the host of `container.advertise` where `ip` is that of the container or all
        addresses of the machine, else `ip` itself. All addresses of the machine are announced as
        the one its default route leaves from, without such a route as loopback, unless other
        machines read it: then ConfigurationError is raised.
        """
        if self._advertise is not None and (ip == self._ip or is_wildcard(ip)):
            return self._advertise.host
        if not is_wildcard(ip):
            return ip
        families = [socket.AF_INET] if ':' not in ip else [socket.AF_INET6, socket.AF_INET]
        for family in families:
            found = route_out(family)
            if found is not None:
                return found
        if not self._beyond_host:
            return _LOOPBACK[families[0]]
        raise ConfigurationError(
            f'{ip} is listened at, and this machine has no default route whose address could be '
            'announced to others; set container.advertise to the address at which they reach it',
            self._where if ip == self._ip else None,
        )

    def endpoint(self, endpoint: str) -> str:
        """Return what is announced for an endpoint that is listened at; raises as `host` does."""
        if scheme_of(endpoint) != 'tcp':
            return endpoint
        ip, port = split_tcp(endpoint)
        announced = self._advertise.port if self._advertise is not None else None
        return join_tcp(self.host(ip), announced or port)

    def warn_of_loopback(self, endpoint: str) -> None:
        """Log a warning if an announced endpoint is read where nobody can connect to it."""
        if not self._beyond_host or scheme_of(endpoint) != 'tcp':
            return
        if is_loopback(split_tcp(endpoint)[0]):
            logger.warning(
                'announced as %s, where no other machine reaches it; set container.ip to the '
                'address of this machine that others reach (0.0.0.0: all), or '
                'container.advertise if that is not an address of its own',
                endpoint,
            )
