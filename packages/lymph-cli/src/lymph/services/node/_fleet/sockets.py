"""Listening sockets that a node keeps open while its processes come and go.

A process inherits the sockets of its definition as descriptors 3, 4, ..., with the environment
variables of systemd (see `lymph.core._system.inherited`). No other process has them. Two kinds:

- Sockets of the section `sockets` listen from the start of the node on.
- Sockets for the port of an instance, found in its configuration, are only bound, if that is
  possible. The instance that uses one calls `listen`, or opens the port itself. So a port that was
  found but cannot be used here, such as that of a service on another machine, is no error.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from gevent.monkey import get_original

from lymph.config import ConfigurationError
from lymph.core._system.inherited import FIRST_DESCRIPTOR, adopt
from lymph.core._system.resolving import resolver
from lymph.services.node._fleet.socket_definitions import SocketDefinition

__all__ = ['Handed', 'Sockets', 'announce', 'hand_over']

_LOOK_UP = 5.0  # seconds
_LONGEST_NAME = 255  # characters: sd_listen_fds(3)

_Socket: type[socket.socket] = get_original('socket', 'socket')


_Address = tuple[str, int]


class Handed(NamedTuple):
    """A socket for a process: its descriptor in the node, and its name."""

    descriptor: int
    name: str


class Sockets:
    """The sockets of a node; `wanted` has those of each definition, by its name.

    Raises ConfigurationError as `update` does.
    """

    def __init__(self, wanted: Mapping[str, Sequence[SocketDefinition]] | None = None) -> None:
        self.wanted: Mapping[str, Sequence[SocketDefinition]] = {}
        self._open: dict[_Address, socket.socket] = {}
        self._low: list[int] = []
        self.update(wanted or {})

    def update(self, wanted: Mapping[str, Sequence[SocketDefinition]]) -> None:
        """Open what is not open yet, then close what nothing wants any more.

        Raises ConfigurationError for a socket that cannot be had, and changes nothing then.
        """
        everything = [each for sockets in wanted.values() for each in sockets]
        # Not the ports that were found: `of` binds them, where a failure is no error.
        defined = {_address(each): each for each in everything if not each.found}
        # Everything new is opened before anything else changes, so that an error changes nothing.
        opened: dict[_Address, socket.socket] = {}
        try:
            for address, each in defined.items():
                if address not in self._open:
                    opened[address] = _open(each)
            # Those that do not listen yet come first, since only these can fail: found before, they
            # are bound, and cannot listen while an instance that opened the port itself does.
            for address in sorted(defined.keys() - opened.keys(), key=self._listens):
                _listen(self._open[address], defined[address])  # the backlog may differ
        except ConfigurationError:
            for sock in opened.values():
                sock.close()
            raise
        addresses = {_address(each) for each in everything}
        for address in self._open.keys() - addresses:
            self._open[address].close()
            del self._open[address]
        self._open.update(opened)
        self.wanted = wanted

    def _listens(self, address: _Address) -> bool:
        return bool(self._open[address].getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))

    def of(self, name: str) -> list[Handed]:
        """Return the sockets for a process of a definition that is started next, in their order.

        Those that could not be bound until now are tried again, and left out if they still cannot.
        """
        handed = []
        for each in self.wanted.get(name, ()):
            address = _address(each)
            if address not in self._open:
                with suppress(ConfigurationError):
                    self._open[address] = _open(each)
            if address in self._open:
                handed.append(Handed(self._open[address].fileno(), _printable(each.name)))
        self._occupy(len(handed))
        return handed

    def close(self) -> None:
        """Close all of them in this process; who has one goes on listening."""
        for sock in self._open.values():
            sock.close()
        self._open, self.wanted = {}, {}
        for descriptor in self._low:
            os.close(descriptor)
        self._low = []

    def _occupy(self, count: int) -> None:
        """Keep the descriptors of processes from being used in the node for anything new.

        A child that puts sockets there would overwrite the pipes through which it is started.
        """
        while count:
            descriptor = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            if descriptor >= FIRST_DESCRIPTOR + count:
                os.close(descriptor)
                return
            self._low.append(descriptor)


def announce(handed: Sequence[Handed], environ: MutableMapping[str, str]) -> range:
    """Tell a process in its environment what it is given; returns the descriptors to pass on.

    What the node itself was told there is taken out.
    """
    for name in ('LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'):
        environ.pop(name, None)
    if handed:
        environ['LISTEN_FDS'] = str(len(handed))
        environ['LISTEN_FDNAMES'] = ':'.join(each.name for each in handed)
    return range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + len(handed))


def hand_over(handed: Sequence[Handed], environ: MutableMapping[str, str]) -> None:
    """Put the sockets where they are expected; runs in the new process before its command."""
    if not handed:
        return
    end = FIRST_DESCRIPTOR + len(handed)
    # First out of the way: one may be where another belongs.
    above = [fcntl.fcntl(each.descriptor, fcntl.F_DUPFD_CLOEXEC, end) for each in handed]
    for place, descriptor in enumerate(above, FIRST_DESCRIPTOR):
        os.dup2(descriptor, place)
    environ['LISTEN_PID'] = str(os.getpid())


def _open(each: SocketDefinition) -> socket.socket:
    """Return the socket of a definition; raises ConfigurationError."""
    try:
        return adopt(each.host, each.port) or _bind(each)
    except OSError as error:
        raise _explained(each, error) from error


def _listen(sock: socket.socket, each: SocketDefinition) -> None:
    """Let a bound socket listen; raises ConfigurationError."""
    try:
        sock.listen(each.backlog)
    except OSError as error:
        raise _explained(each, error) from error


def _explained(each: SocketDefinition, error: OSError) -> ConfigurationError:
    advice = {
        errno.EADDRINUSE: 'end what uses it, or choose another port',
        errno.EACCES: 'choose a port from 1024 on, or allow this user that one',
    }.get(error.errno or 0, 'name an address of this machine')
    reason = error.strerror or str(error)
    return ConfigurationError(f'cannot listen at {each} ({reason}); {advice}', each.where)


def _bind(each: SocketDefinition) -> socket.socket:
    addresses = resolver().addresses(each.host, each.port, _LOOK_UP)
    family, address = min(addresses, key=lambda found: found[0] != socket.AF_INET)
    sock = _Socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        if not each.found:
            sock.listen(each.backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _address(each: SocketDefinition) -> _Address:
    return each.host.lower(), each.port


def _printable(name: str) -> str:
    return ''.join(c if '!' <= c <= '~' and c != ':' else '_' for c in name)[:_LONGEST_NAME]
