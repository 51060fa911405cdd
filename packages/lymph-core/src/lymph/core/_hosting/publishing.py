"""Publishing the log and the metrics of a container.

They are published at the endpoints `container.log_endpoint` and `container.monitoring_endpoint`:

===========================  =====================================================================
setting                      meaning
===========================  =====================================================================
``tcp://HOST:PORT``          a port at one address, or at all addresses if HOST is ``*``
``tcp://HOST``               any free port; so are ``tcp://HOST:*`` and ``tcp://HOST:0``
``ipc://PATH``               a Unix domain socket
``inproc://NAME``            for readers in this process; it is not announced
===========================  =====================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from socket import gaierror
from typing import Protocol

from lymph.config import ConfigurationError, Location
from lymph.config.lazy import lazy
from lymph.config.printable import quoted
from lymph.core._system.resolving import resolver
from lymph.core.addresses import check_host, in_brackets, numeric
from lymph.core.monitoring.metrics import Sample
from lymph.core.transport.endpoints import scheme_of, split_tcp

__all__ = [
    'OpenPublisher',
    'announced_endpoint',
    'check_publishing',
    'publish_log',
    'publish_metrics',
]

_TCP = re.compile(r'tcp://(?P<host>\[[^\[\]\s]+\]|[^\[\]:/\s]+)(?::(?P<port>[0-9]{1,5}|\*))?')
_LOCAL = re.compile(r'(?:ipc|inproc)://[^\x00-\x1f]+')
_LONGEST = 255  # characters, as `lymph.core.facts` allows in a registry
_LOOK_UP = 5.0  # seconds to look up a host name


class OpenPublisher(Protocol):
    """What a container needs of its `LogPublisher` and its `MetricPublisher`."""

    endpoint: str

    def close(self) -> None:
        """Stop publishing and close the socket. Idempotent."""


# Imported on first use: a container that publishes neither does not load libzmq.
_log: Callable[[str, str], OpenPublisher] = lazy(
    'lymph.core._monitoring.log_publisher:LogPublisher'
)
_metrics: Callable[[str, str, Iterable[Sample], float], OpenPublisher] = lazy(
    'lymph.core._monitoring.metric_publisher:MetricPublisher'
)


def check_publishing(value: object) -> str:
    """Return `value` if it is a valid setting of the table above; raises ValueError if not."""
    if isinstance(value, str) and len(value) <= _LONGEST and _is_endpoint(value):
        return value
    raise ValueError(
        'expected an endpoint like tcp://127.0.0.1 (any free port), tcp://127.0.0.1:5000 or '
        f'ipc:///run/shop, found {quoted(value)}'
    )


def publish_log(setting: str, identity: str, where: Location | str) -> OpenPublisher:
    """Publish the log of this process at the endpoint `setting`; return the open publisher.

    `where` is the place of the setting. Raises ConfigurationError if the host is unknown or the
    endpoint cannot be listened at.
    """
    return _open('log', lambda endpoint: _log(endpoint, identity), setting, where)


def publish_metrics(
    setting: str,
    identity: str,
    metrics: Iterable[Sample],
    interval: float,
    where: Location | str,
) -> OpenPublisher:
    """Publish `metrics` at the endpoint `setting` every `interval` seconds, as `publish_log`."""

    def publish(endpoint: str) -> OpenPublisher:
        return _metrics(endpoint, identity, metrics, interval)

    return _open('metrics', publish, setting, where)


def _open(
    what: str,
    publish: Callable[[str], OpenPublisher],
    setting: str,
    where: Location | str,
) -> OpenPublisher:
    try:
        return publish(_address(setting))
    except gaierror as error:
        reason, advice = error.strerror or str(error), 'name an address of this machine'
    except OSError as error:
        reason, advice = error.strerror or str(error), 'tcp://127.0.0.1 takes any free port'
    raise ConfigurationError(f'cannot publish the {what} at {setting}: {reason}; {advice}', where)


def announced_endpoint(endpoint: str, announced_host: Callable[[str], str]) -> str | None:
    """Return the endpoint to announce for one that this process listens at; None for ``inproc``.

    `announced_host(ip)` returns the host to announce for an address; see `Advertising.host`.
    """
    scheme = scheme_of(endpoint)
    if scheme != 'tcp':
        return endpoint if scheme == 'ipc' else None
    ip, port = split_tcp(endpoint)
    return f'tcp://{in_brackets(announced_host(ip))}:{port}'


def _is_endpoint(text: str) -> bool:
    match = _TCP.fullmatch(text)
    if match is None:
        return _LOCAL.fullmatch(text) is not None
    port = match['port'] or '*'
    if port != '*' and int(port) > 65535:
        return False
    try:
        return match['host'] == '*' or bool(check_host(match['host']))
    except ValueError:
        return False


def _address(setting: str) -> str:
    """Return a setting as libzmq takes it: its host looked up, its port a number or ``*``.

    libzmq would look up the name itself, which blocks the loop. Raises socket.gaierror.
    """
    match = _TCP.fullmatch(setting)
    if match is None:
        return setting
    host, port = match['host'].strip('[]'), match['port'] or '*'
    if host != '*' and numeric(host) is None:
        host = resolver().addresses(host, 0, _LOOK_UP)[0][1][0]
    return f'tcp://{in_brackets(host)}:{"*" if port == "0" else port}'
