"""Listening sockets that a node makes: the `sockets` section of its configuration.

sockets:
    front:
        host: 0.0.0.0                                       # default: container.ip, or 127.0.0.1
        port: 8080
        backlog: 1024                                       # the default
instances:
    web:
        command: lymph instance --config=conf/web.yml
        numprocesses: 4
        sockets: [front]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from lymph.config import ConfigView, Location
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.core._system.inherited import BACKLOG
from lymph.core.addresses import check_host, join_address, numeric
from lymph.core.options import refuse_unknown

__all__ = ['SocketDefinition', 'read_names', 'read_sockets']

_KEYS = ('host', 'port', 'backlog')
_LOOPBACK = '127.0.0.1'
_LONGEST_BACKLOG = 65535  # what Linux keeps of it in all versions
_NAME = re.compile(r'[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}')


@dataclass(frozen=True, slots=True)
class SocketDefinition:
    """An address to listen at, and where in the configuration it stands.

    One that is `found` is not in the section but the port of an instance: it is bound if that is
    possible, and listens as soon as an instance wants it to. `name` is what processes are told.
    """

    name: str
    host: str
    port: int
    where: Location
    backlog: int = BACKLOG
    found: bool = False

    def __str__(self) -> str:
        return join_address(self.host, self.port)

    def is_at(self, host: str, port: int) -> bool:
        """Tell whether this is the socket for an address."""
        same = self.host.lower() == host.lower()
        return self.port == port and (same or (numeric(host) or 0) == numeric(self.host))


def read_sockets(config: ConfigView) -> dict[str, SocketDefinition]:
    """Return what the `sockets` section of a configuration defines, by name.

    Raises ConfigurationError.
    """
    section = config.view('sockets')
    default = config.view('container').get_line('ip', _LOOPBACK)
    found: dict[str, SocketDefinition] = {}
    for name in section:
        if _NAME.fullmatch(name) is None:
            raise section.error(
                [name], 'expected a name of up to 64 letters, digits and the characters ._-'
            )
        found[name] = each = _read(name, section.view([name]), default)
        for other in list(found.values())[:-1]:
            if each.is_at(other.host, other.port):
                raise section.error([name, 'port'], f'{each} is that of sockets.{other.name}, too')
    return found


def read_names(view: ConfigView, known: Iterable[str]) -> tuple[str, ...]:
    """Return the sockets that an entry of `instances` names; raises ConfigurationError."""
    names = view.get_list('sockets')
    for place, name in enumerate(names):
        if not isinstance(name, str):
            raise view.error('sockets', f'expected a list of names, found {quoted(names)}')
        if name not in known:
            close = close_name(name, known)
            advice = f'did you mean {close!r}?' if close else 'define it in the section sockets'
            raise view.error('sockets', f'no socket {quoted(name)}; {advice}')
        if name in names[:place]:
            raise view.error('sockets', f'{name} is named twice')
    return tuple(names)


def _read(name: str, view: ConfigView, default: str) -> SocketDefinition:
    refuse_unknown(view, _KEYS, plain=True)
    host = default if view.get_raw('host') is None else view.get_raw('host')
    try:
        host = check_host(host)
    except ValueError as error:
        raise view.error('host', str(error)) from None
    return SocketDefinition(
        name,
        host,
        view.get_int('port', minimum=1, maximum=65535),
        view.locate('port'),
        view.get_int('backlog', BACKLOG, minimum=1, maximum=_LONGEST_BACKLOG),
    )
