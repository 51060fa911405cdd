"""The section `container.operations`, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.printable import quoted
from lymph.core.addresses import check_host
from lymph.core.options import refuse_unknown

__all__ = ['OperationsSettings', 'read_operations']

_LOOPBACK = '127.0.0.1'
_SHORTEST_BLOCK = 0.01  # seconds, as for `block_threshold`
_DEFAULT_BLOCK = 1.0


class OperationsSettings(NamedTuple):
    """Where the operations port listens, and when its probes fail; times are in seconds."""

    ip: str = _LOOPBACK
    port: int = 0  # 0: any free port
    away: float = 30.0  # of the registry or the broker, until the instance is not ready
    blocked: float = _DEFAULT_BLOCK  # of the loop, until the instance is not alive
    #: the place in the configuration, for errors
    where: Location | str = 'operations'


def read_operations(
    container: ConfigView, block_threshold: float, default: int | None = None
) -> OperationsSettings | None:
    """Return the settings of a `container` section; None if there is to be no operations port.

    `default` is the port if the section does not say anything, and that of a section without one;
    None stands for no port, and for any free one. `block_threshold` is the default of `blocked`,
    unless it is 0. Raises ConfigurationError.
    """
    blocked = block_threshold or _DEFAULT_BLOCK
    found = container.get_raw('operations')
    where = container.locate('operations')
    if not isinstance(found, Mapping):
        try:
            wanted = container.get_bool('operations', default is not None)
        except ConfigurationError:
            text = f'expected a mapping as in {{port: 9090}}, true or false, found {quoted(found)}'
            raise container.error('operations', text) from None
        if not wanted:
            return None
        return OperationsSettings(port=default or 0, blocked=blocked, where=where)
    section = container.view('operations')
    refuse_unknown(section, ('ip', 'port', 'away', 'blocked'), plain=True)
    return OperationsSettings(
        _ip(section),
        section.get_int('port', default or 0, minimum=0, maximum=65535),
        section.get_seconds('away', OperationsSettings().away, zero=True),
        section.get_seconds('blocked', blocked, least=_SHORTEST_BLOCK),
        section.locate('port') if 'port' in section else where,
    )


def _ip(section: ConfigView) -> str:
    found = section.get_raw('ip')
    try:
        return _LOOPBACK if found is None else check_host(found)
    except ValueError as error:
        raise section.error('ip', str(error)) from None
