"""Which address to announce: others may not reach a container at the address it listens at."""

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

# Addresses for documentation (RFC 5737, RFC 3849): no host has them, and they are routed like any
# remote address. Port 9 is that of the discard protocol.
_FAR_AWAY = {socket.AF_INET: ('192.0.2.1', 9), socket.AF_INET6: ('2001:db8::1', 9)}
_LOOPBACK = {socket.AF_INET: '127.0.0.1', socket.AF_INET6: '::1'}


def route_out(family: int) -> str | None:
    """Return this machine's address on its default route, None without a usable one.

    `family` is AF_INET or AF_INET6. Connecting a UDP socket chooses the route; it sends nothing.
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
    """Turns addresses that the container listens at into addresses to announce.

    `ip` is the setting `container.ip` and `where` its place in the configuration; `advertise` is
    the setting `container.advertise`, or None. `beyond_host` tells whether other machines read what
    is announced.
    """

    def __init__(
        self, ip: str, advertise: Address | None, beyond_host: bool, where: Location | str
    ) -> None:
        self._ip = ip
        self._where = where
        self._advertise = advertise
        self._beyond_host = beyond_host

    def host(self, ip: str) -> str:
        """Return the host to announce for a port that this process listens on at `ip`.

        - With `container.advertise`: its host, if `ip` is the container's or a wildcard address.
        - Otherwise `ip` itself, unless it is a wildcard address.
        - For a wildcard address (``0.0.0.0``, ``::``): the machine's address on its default route.
          Without a default route: loopback.

        Raises ConfigurationError without a default route if other machines read what is announced.
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
        """Return the endpoint to announce for one that is listened at; raises as `host` does."""
        if scheme_of(endpoint) != 'tcp':
            return endpoint
        ip, port = split_tcp(endpoint)
        announced = self._advertise.port if self._advertise is not None else None
        return join_tcp(self.host(ip), announced or port)

    def warn_of_loopback(self, endpoint: str) -> None:
        """Log a warning if a loopback endpoint is announced to other machines."""
        if not self._beyond_host or scheme_of(endpoint) != 'tcp':
            return
        if is_loopback(split_tcp(endpoint)[0]):
            logger.warning(
                'announced as %s, where no other machine reaches it; set container.ip to the '
                'address of this machine that others reach (0.0.0.0: all), or '
                'container.advertise if that is not an address of its own',
                endpoint,
            )
