"""The `container` section of a configuration, read and checked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypedDict, TypeVar

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.plugins import installed, load_plugin
from lymph.core._calling.rpc import DEFAULT_IDLE_TIMEOUT, DEFAULT_RETRIES, DEFAULT_TIMEOUT
from lymph.core._hosting.publishing import check_publishing
from lymph.core._monitoring.recent_work import DEFAULT_KEEP
from lymph.core._operations.settings import OperationsSettings, read_operations
from lymph.core.addresses import Address, check_host, is_wildcard, parse_address
from lymph.core.connections import DEFAULT_CONNECT_TIMEOUT
from lymph.core.failures import described
from lymph.core.options import refuse_unknown
from lymph.core.transport.base import (
    BUFFERED_MESSAGES,
    DEFAULT_MAX_MESSAGE_SIZE,
    DEFAULT_UNRESPONSIVE_TIMEOUT,
    Transport,
)
from lymph.discovery.base import BaseServiceRegistry
from lymph.events.base import BaseEventSystem

__all__ = [
    'ContainerOverrides',
    'ContainerParts',
    'ContainerSettings',
    'read_events',
    'read_registry',
    'read_settings',
    'read_transport',
]

_KEYS = {
    '': 'advertise block_threshold class drain_timeout events ip log_endpoint metrics '
    'monitoring_endpoint operations pool_size port registry rpc trace',
    'rpc': 'call_log cancel connect_timeout curve idle_timeout max_buffered max_message_size '
    'retries slow_call timeout transport unresponsive_timeout',
    'rpc.call_log': 'sample',
    'metrics': 'interval tags',
    'trace': 'keep',
}

_SHORTEST_BLOCK = 0.01  # seconds; the watchdog's thread wakes up once in this time
_SHORTEST_INTERVAL = 0.1  # seconds; each publication reads all metrics
_SHORTEST_SILENCE = 0.1  # seconds; a silent peer is pinged three times in this time
_DAY = 24 * 3600  # seconds; libzmq counts milliseconds in 32 bits
_MANY = 1_000_000  # handlers at once: more than any process has memory for
_LARGEST_MESSAGE = 2**31 - 1  # bytes; msgpack's own limit of what is unpacked
_MOST_KEPT = 100_000  # units of work: 40 MB, and 10 ms of the loop to look for a trace
_LARGEST_BUFFERS = 2**50  # bytes: more than any machine has


class ContainerParts(TypedDict, total=False):
    """What may be passed to a container instead of its section; see `from_config`."""

    ip: str | None
    port: int | None
    registry: BaseServiceRegistry | None
    events: BaseEventSystem | None
    transport: Transport | None
    worker: bool


class ContainerOverrides(ContainerParts, total=False):
    """The keywords of `ServiceContainer.from_config`."""

    on_demand: bool
    operations: int | None


@dataclass(frozen=True)
class ContainerSettings:
    """The plain values of a `container` section; times are in seconds.

    The README of lymph-core describes all settings.
    """

    ip: str = '127.0.0.1'  # or a host name; IPv6 without brackets
    port: int = 0  # 0: any free port
    advertise: Address | None = None  # None: the address that is listened at
    pool_size: int | None = None  # handlers that run at once; None: no limit
    drain_timeout: float = 5.0
    block_threshold: float = 1.0  # 0: no watchdog
    rpc_timeout: float = DEFAULT_TIMEOUT
    rpc_retries: int = DEFAULT_RETRIES
    rpc_cancel: bool = False  # whether calls that nobody waits for are cancelled
    rpc_idle_timeout: float = DEFAULT_IDLE_TIMEOUT
    rpc_connect_timeout: float = DEFAULT_CONNECT_TIMEOUT
    rpc_slow_call: float = 0.0  # calls that take so long are logged; 0: none
    rpc_call_log_sample: float = 0.0  # the fraction of the other calls that is logged
    metrics_tags: dict[str, str] = field(default_factory=dict)
    trace_keep: int = DEFAULT_KEEP  # units of work that `lymph trace` can find; 0: none
    metrics_interval: float = 2.0  # between two publications at `monitoring_endpoint`
    log_endpoint: str | None = None
    monitoring_endpoint: str | None = None
    operations: OperationsSettings | None = None  # None: no operations port
    #: the place of `ip` in the configuration, for errors
    ip_at: Location | str = field(default='ip', compare=False, repr=False)
    #: the place of `log_endpoint` in the configuration, for errors
    log_endpoint_at: Location | str = field(default='log_endpoint', compare=False, repr=False)
    #: the place of `monitoring_endpoint` in the configuration, for errors
    monitoring_endpoint_at: Location | str = field(
        default='monitoring_endpoint', compare=False, repr=False
    )


def read_settings(
    config: ConfigView,
    ip: str | None = None,
    port: int | None = None,
    operations: int | None = None,
) -> ContainerSettings:
    """Return the plain values of a `container` section; raises ConfigurationError.

    `ip` and `port` take precedence over those of the section, and are checked in the same way.
    `operations` is the port for operations if the section does not say anything; None: there is
    none.
    """
    for section, keys in _KEYS.items():
        refuse_unknown(
            config.view(section) if section else config, keys.split(), plain=bool(section)
        )
    block_threshold = config.get_seconds(
        'block_threshold', ContainerSettings.block_threshold, zero=True, least=_SHORTEST_BLOCK
    )
    settings = ContainerSettings(
        ip=_read(config, 'ip', check_host, ContainerSettings.ip),
        port=config.get_int('port', ContainerSettings.port, minimum=0, maximum=65535),
        advertise=_read(config, 'advertise', _advertised, None),
        pool_size=config.get_int('pool_size', None, minimum=1, maximum=_MANY),
        drain_timeout=config.get_seconds(
            'drain_timeout', ContainerSettings.drain_timeout, zero=True
        ),
        block_threshold=block_threshold,
        rpc_timeout=config.get_seconds('rpc.timeout', ContainerSettings.rpc_timeout),
        rpc_connect_timeout=config.get_seconds(
            'rpc.connect_timeout', ContainerSettings.rpc_connect_timeout, maximum=_DAY
        ),
        rpc_idle_timeout=config.get_seconds('rpc.idle_timeout', ContainerSettings.rpc_idle_timeout),
        rpc_retries=config.get_int(
            'rpc.retries', ContainerSettings.rpc_retries, minimum=0, maximum=100
        ),
        rpc_cancel=config.get_bool('rpc.cancel', ContainerSettings.rpc_cancel),
        rpc_slow_call=config.get_seconds(
            'rpc.slow_call', ContainerSettings.rpc_slow_call, zero=True
        ),
        rpc_call_log_sample=config.get_float(
            'rpc.call_log.sample', ContainerSettings.rpc_call_log_sample, minimum=0, maximum=1
        ),
        metrics_tags=_tags(config.view('metrics.tags')),
        metrics_interval=config.get_seconds(
            'metrics.interval',
            ContainerSettings.metrics_interval,
            least=_SHORTEST_INTERVAL,
            maximum=_DAY,
        ),
        trace_keep=config.get_int(
            'trace.keep', ContainerSettings.trace_keep, minimum=0, maximum=_MOST_KEPT
        ),
        log_endpoint=_read(config, 'log_endpoint', check_publishing, None),
        monitoring_endpoint=_read(config, 'monitoring_endpoint', check_publishing, None),
        operations=read_operations(config, block_threshold, operations),
        ip_at=config.locate('ip'),
        log_endpoint_at=config.locate('log_endpoint'),
        monitoring_endpoint_at=config.locate('monitoring_endpoint'),
    )
    return _overridden(settings, ip, port)


def _tags(tags: ConfigView) -> dict[str, str]:
    """Return tags as text; dates, booleans and other YAML values must be quoted to be text."""
    return {name: _tag(tags, name) for name in tags}


def _tag(tags: ConfigView, name: str) -> str:
    if name in ('', 'le'):
        raise tags.error([name], 'expected the name of a tag, and not le, which buckets have')
    value = tags.get_raw([name])
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        tags.get_float([name])
        return str(value)
    return tags.get_line([name])


_T = TypeVar('_T')
_D = TypeVar('_D')


def _read(config: ConfigView, key: str, reader: Callable[[object], _T], default: _D) -> _T | _D:
    value = config.get_raw(key)
    if value is None:
        return default
    try:
        return reader(value)
    except ValueError as error:
        raise config.error(key, str(error)) from None


def _advertised(value: object) -> Address:
    address = parse_address(value)
    if is_wildcard(address.host):
        raise ValueError(f'expected an address that others can connect to, found {address.host}')
    return address


def _overridden(settings: ContainerSettings, ip: str | None, port: int | None) -> ContainerSettings:
    if ip is not None:
        try:
            settings = replace(settings, ip=check_host(ip), ip_at='ip')
        except ValueError as error:
            raise ConfigurationError(str(error), 'ip') from None
    if port is not None:
        if not 0 <= port <= 65535:
            raise ConfigurationError(f'expected a port from 0 to 65535, found {port}', 'port')
        settings = replace(settings, port=port)
    return settings


def read_registry(config: ConfigView) -> BaseServiceRegistry:
    """Make the registry of a `container` section.

    Without a `registry` section it is `embedded`; a section without a class stands for
    `zookeeper`. Raises ConfigurationError for an invalid section, and for an object that is not a
    registry.
    """
    default = 'zookeeper' if 'registry' in config else 'embedded'
    _expect_class(config, 'registry')
    registry = config.create_instance('registry', default, group='lymph.discovery')
    if not isinstance(registry, BaseServiceRegistry):
        raise config.error('registry', f'expected a registry, found {described(registry)}')
    return registry


def _expect_class(config: ConfigView, kind: str) -> None:
    """Raise ConfigurationError for ``class: null``, which would mean the default class.

    Someone who writes null probably means the null backend, whose name has to be quoted in YAML.
    """
    if isinstance(config.get_raw(kind), str):
        return  # a reference to a dependency, not a section
    section = config.view(kind)
    if 'class' in section and section.get_raw('class') is None:
        raise section.error('class', 'expected a name, found nothing; null is a name in quotes')


def read_events(config: ConfigView) -> BaseEventSystem:
    """Make the event system of a `container` section; without an `events` section, `embedded`.

    Raises ConfigurationError for an invalid section, for one without a class, and for an object
    that is not an event system.
    """
    dependency = isinstance(config.get_raw('events'), str)
    _expect_class(config, 'events')
    if 'events' in config and not dependency and 'class' not in config.view('events'):
        names = ', '.join(sorted(installed('lymph.events')))
        raise config.error('events.class', f'expected an event system (installed: {names})')
    events = config.create_instance('events', 'embedded', group='lymph.events')
    if not isinstance(events, BaseEventSystem):
        raise config.error('events', f'expected an event system, found {described(events)}')
    return events


def read_transport(config: ConfigView) -> Transport:
    """Make the transport of a `container` section: `rpc.transport`, by default `zmtp`.

    Raises ConfigurationError for an unknown transport, for a value outside of its range, and for an
    `rpc.max_buffered` of less than two messages of `rpc.max_message_size`.
    """
    name = config.get_line('rpc.transport', 'zmtp')
    size = config.get_int(
        'rpc.max_message_size', DEFAULT_MAX_MESSAGE_SIZE, minimum=1024, maximum=_LARGEST_MESSAGE
    )
    silence = config.get_seconds(
        'rpc.unresponsive_timeout',
        DEFAULT_UNRESPONSIVE_TIMEOUT,
        least=_SHORTEST_SILENCE,
        maximum=_DAY,
    )
    buffered = config.get_int(
        'rpc.max_buffered', BUFFERED_MESSAGES * size, minimum=0, maximum=_LARGEST_BUFFERS
    )
    if buffered < 2 * size:
        text = f'expected {2 * size} bytes (twice rpc.max_message_size) or more, found {buffered}'
        raise config.error('rpc.max_buffered', text)
    where = config.locate('rpc.transport')
    cls = load_plugin('lymph.transports', name, kind=Transport, where=where)
    return cls.from_config(
        config.view('rpc'),
        max_message_size=size,
        unresponsive_timeout=silence,
        max_buffered=buffered,
    )
