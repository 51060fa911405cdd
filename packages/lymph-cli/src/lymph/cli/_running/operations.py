"""The operations port of an instance that a node, or another supervisor, has started.

``LYMPH_OPERATIONS`` is the port to open if the configuration does not have the key
`container.operations`; 0 is any free one. The address is told to the supervisor then, see
`lymph.cli._running.readiness`.
"""

from __future__ import annotations

import errno
import os
import re

from lymph.cli.lazy import lazy
from lymph.cli.output import say
from lymph.config import ConfigurationError
from lymph.config.printable import quoted
from lymph.core.container import ServiceContainer

__all__ = ['VARIABLE', 'open_operations', 'port_from_environ']

VARIABLE = 'LYMPH_OPERATIONS'

_port_holder = lazy('lymph.cli._running.port_holders:port_holder')


def port_from_environ() -> int | None:
    """Take the variable out of the environment, so that no child gets it; None if it is not set.

    An invalid value is one line on stderr, and counts as not set.
    """
    value = os.environ.pop(VARIABLE, '')
    if re.fullmatch('[0-9]{1,5}', value) and int(value) <= 65535:
        return int(value)
    if value:
        say(f'{VARIABLE}: expected a port from 0 to 65535, found {quoted(value)}; none is opened')
    return None


def open_operations(container: ServiceContainer, wished: bool = False) -> str | None:
    """Open the operations port of a container, if it has one; return its address.

    Raises ConfigurationError, which names the process that has the port if one has. One that is
    only `wished` for by the environment is one line on stderr if it cannot be opened.
    """
    try:
        return container.open_operations()
    except ConfigurationError as error:
        if wished:
            say(f'{VARIABLE}: {error.text}; none is opened')
            container.forgo_operations()
            return None
        settings, cause = container.settings.operations, error.__cause__
        if settings is None or not isinstance(cause, OSError) or cause.errno != errno.EADDRINUSE:
            raise
        holder = _port_holder(settings.ip, settings.port)
        if holder is None:
            raise
        raise ConfigurationError(f'{error.text}; {holder} listens there', error.where) from cause
