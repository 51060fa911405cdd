"""What an overview has: plain data, which `lymph.serializers.json:plain` turns into JSON.

A figure is None where it is not known: in the first poll, which has nothing to compare with, after
a restart, for an instance that does not answer, and for what an older lymph does not measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lymph.events.queues import QueueState

__all__ = [
    'BackendState',
    'InstanceState',
    'InstanceStatus',
    'Load',
    'MethodLoad',
    'ServiceState',
    'Snapshot',
]

InstanceStatus = Literal['up', 'starting', 'draining', 'foreign', 'silent', 'not asked']


@dataclass(frozen=True)
class Load:
    """How much work of one kind was done between two polls: calls, HTTP requests or events.

    ===========  ===============================================================================
    rate         pieces of work that ended, per second, the failed ones included
    errors       failed ones, per second; of HTTP, answers from 500 on
    error_share  the share of the failed ones, from 0 to 1; None also if no work ended
    refused      refused ones, per second, which `rate` does not include
    running      pieces of work in progress at the second poll
    mean         seconds that one took; None also if no work ended
    p50, p99     quantiles of these seconds, estimated from the buckets of a histogram
    total        pieces of work that ended since the process was started, the failed ones included
    ===========  ===============================================================================
    """

    rate: float | None = None
    errors: float | None = None
    error_share: float | None = None
    refused: float | None = None
    running: int | None = None
    mean: float | None = None
    p50: float | None = None
    p99: float | None = None
    total: int | None = None


@dataclass(frozen=True)
class MethodLoad:
    """The load of one method (``echo.upper``), or of the events of one queue.

    `buckets` are the durations between the two polls: an upper bound in seconds (None: infinite)
    and how many were in this bucket alone, in ascending order. Empty if that is not known.
    """

    name: str
    load: Load = Load()
    buckets: tuple[tuple[float | None, int], ...] = ()


@dataclass(frozen=True)
class BackendState:
    """The registry or the broker.

    `description` says what it is. `connected` is None if there is no server, or if that is not
    known; `since` is the Unix time of the last change. `reason` says why there is no connection.
    `server` is its address. `away` is how many instances say that they have no connection to it.
    """

    description: str = ''
    connected: bool | None = None
    since: float | None = None
    server: str = ''
    reason: str = ''
    reconnects: int | None = None
    away: int = 0


@dataclass(frozen=True)
class InstanceState:
    """One process as an instance of one service; a process that offers two is there twice.

    =================  =========================================================================
    identity, ...      from the registry: `identity`, `endpoint`, `hostname`, `ip`, `pid`,
                       `http_url`, and `started`, a Unix time
    versions           those of the service that the process offers; empty if they have none
    status             ``up``; ``starting`` or ``draining``: it refuses calls; ``foreign``:
                       another instance answers at its endpoint; ``silent``: it does not answer;
                       ``not asked``: there are more instances than are polled, or it has had
                       no time to answer yet
    since              Unix time since when it has been silent; None if it is not
    problem            why it has no figures; else empty
    answered           Unix time of its last answer
    lymph              the version of lymph that it runs
    uptime             seconds since it was started
    calls, events      the load of this service in this process; `http` alike
    methods, handlers  the same for each method, and for each queue that it consumes, by name
    loop_delay         p99 of how late the event loop was between the two polls, in seconds
    memory             resident bytes of the process
    cpu                the processor time it used per second: 1.0 is one processor
    descriptors        open file descriptors; `greenlets`, `threads` alike
    registry, broker   whether it has a connection to them; None if it has no server, or does not
                       say so
    =================  =========================================================================

    Loop, memory and CPU are those of the whole process, whatever else it offers.
    """

    identity: str
    endpoint: str
    versions: tuple[str, ...] = ()
    hostname: str | None = None
    ip: str | None = None
    pid: int | None = None
    http_url: str | None = None
    started: float | None = None
    status: InstanceStatus = 'not asked'
    since: float | None = None
    problem: str = ''
    answered: float | None = None
    lymph: str | None = None
    uptime: float | None = None
    calls: Load = Load()
    http: Load = Load()
    events: Load = Load()
    methods: tuple[MethodLoad, ...] = ()
    handlers: tuple[MethodLoad, ...] = ()
    loop_delay: float | None = None
    memory: float | None = None
    cpu: float | None = None
    descriptors: int | None = None
    greenlets: int | None = None
    threads: int | None = None
    registry: bool | None = None
    broker: bool | None = None


@dataclass(frozen=True)
class ServiceState:
    """All instances of one service, and what they do together.

    Rates are sums over all instances that answer, quantiles those of all their durations together;
    `loop_delay` is that of the worst instance, `memory` and `cpu` are sums. `up` is how many
    instances have the status ``up``. Workers are a service of their own, ``NAME.worker``.
    `namespaces` are those of the registry, such as ``rpc`` and ``http``.
    """

    name: str
    namespaces: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    up: int = 0
    instances: tuple[InstanceState, ...] = ()
    calls: Load = Load()
    http: Load = Load()
    events: Load = Load()
    methods: tuple[MethodLoad, ...] = ()
    handlers: tuple[MethodLoad, ...] = ()
    loop_delay: float | None = None
    memory: float | None = None
    cpu: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """The state of everything at one moment.

    ==========  ================================================================================
    at          the Unix time of the poll
    seconds     since the poll before; None for the first one. The figures of an instance refer to
                its own last two answers, which may be older or further apart.
    services    sorted by name
    queues      those of the event system, sorted by name; if it cannot tell, those that the
                instances name in their metrics
    registry,   the backends as this process sees them
    broker
    problems    what could not be asked, and why: ``registry``, ``queues``; the facts of an earlier
                poll are shown then
    left_out    how many instances were not asked, because there are too many
    ==========  ================================================================================
    """

    at: float
    seconds: float | None = None
    services: tuple[ServiceState, ...] = ()
    queues: tuple[QueueState, ...] = ()
    registry: BackendState = BackendState()
    broker: BackendState = BackendState()
    problems: Mapping[str, str] = field(default_factory=dict)
    left_out: int = 0

    def service(self, name: str) -> ServiceState | None:
        """Return the service of this name, None if there is none."""
        return next((each for each in self.services if each.name == name), None)
