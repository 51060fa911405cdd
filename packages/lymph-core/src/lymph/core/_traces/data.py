"""What is told of traces: plain data, which `lymph.serializers.json:plain` turns into JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ['LatestTraces', 'Trace', 'TraceOutcome', 'TraceSource', 'TraceSummary', 'TraceUnit']

TraceOutcome = Literal['ok', 'failed', 'running', 'unknown']


@dataclass(frozen=True)
class TraceUnit:
    """One unit of work of a trace.

    =========  ===================================================================================
    id         unique in the trace
    kind       ``call`` (an attempt of a call), ``rpc`` (a call that was answered), ``emit``,
               ``event``, ``task``, ``feed`` (an event passed on to the partition of a serial
               handler) or ``http``
    name       the method (``stock.take``), the type of an event that was emitted, the handler or
               task (``stock.on_order``), or ``GET /orders``
    service    the services of the instance that did it, comma-separated
    instance   the identity of that instance
    peer       of a call, the endpoint or service that was called; of an answer, the address of the
               caller; of an event, its queue; of a request, the interface; None if not known
    started    Unix time, corrected as `Trace` says
    offset     seconds since the start of the trace
    duration   seconds; None while it is running. A request ends when its answer begins.
    outcome    ``ok`` or ``running``; otherwise the class of an error (with ``, given up`` if no
               other attempt to handle the event follows), the reason of a NACK, or the status of
               an answer over HTTP
    ok         whether it succeeded; None while it is running
    attempt    which attempt it is of the call, or to handle the event, from 1
    depth      how many units it is below a root
    parent     the index in `Trace.units` of the unit that caused it, always smaller than its own;
               None for a root
    note       why it is a root although something has caused it; else empty
    =========  ===================================================================================
    """

    id: str
    kind: str
    name: str
    service: str
    instance: str
    peer: str | None
    started: float
    offset: float
    duration: float | None
    outcome: str
    ok: bool | None
    attempt: int
    depth: int
    parent: int | None
    note: str = ''


@dataclass(frozen=True)
class TraceSource:
    """An instance that was asked for a trace.

    =========  ===================================================================================
    service    the services that are registered at its endpoint, comma-separated
    identity   of the instance
    endpoint   where it was asked
    units      how many units of the trace it told
    left_out   how many it left out, because there were too many
    keep       how many units of work it keeps; 0: none
    since      the Unix time since when it has kept everything; None: since its start
    shift      seconds that were added to its times, because its clock differs
    problem    why it told nothing: it did not answer, or runs an older lymph; else empty
    =========  ===================================================================================
    """

    service: str
    identity: str
    endpoint: str
    units: int = 0
    left_out: int = 0
    keep: int | None = None
    since: float | None = None
    shift: float = 0.0
    problem: str = ''


@dataclass(frozen=True)
class Trace:
    """All that is known of one trace, as a tree.

    =========  ===================================================================================
    trace_id   its id
    outcome    of the first root: ``ok``, ``failed`` or ``running``; ``unknown`` without any unit
    started    the Unix time of its first unit; None without any
    duration   seconds from the first start to the last end of a unit
    failures   how many units failed, attempts that were made again included
    running    how many units have not ended yet
    units      the tree in the order in which it is shown: each unit is followed by the units that
               it caused, by the time of their starts; `depth` and `parent` say which these are
    sources    the instances that were asked, by the names of their services
    left_out   how many units are left out, because there are too many
    =========  ===================================================================================

    Clocks of machines differ. A call encloses its answer, and an event is handled after it was
    emitted: where times contradict that, those of an instance are shifted.
    """

    trace_id: str
    outcome: TraceOutcome = 'unknown'
    started: float | None = None
    duration: float = 0.0
    failures: int = 0
    running: int = 0
    units: tuple[TraceUnit, ...] = ()
    sources: tuple[TraceSource, ...] = ()
    left_out: int = 0


@dataclass(frozen=True)
class TraceSummary:
    """One of the latest traces.

    =========  ===================================================================================
    trace_id   its id
    kind,      of its root, the first unit that nothing else has caused; or of its first unit, if
    name,      no instance has told a root
    service
    root       whether it is a root
    outcome    of this unit, as in `TraceUnit`; `ok` and `duration` alike
    started    the Unix time of the first unit
    total      seconds from the first start to the last end of a unit, as far as clocks agree
    units      how many units are known; `failures` how many failed, `running` how many have not
               ended yet, `instances` how many instances did them
    =========  ===================================================================================
    """

    trace_id: str
    kind: str
    name: str
    service: str
    root: bool
    outcome: str
    ok: bool | None
    duration: float | None
    started: float
    total: float
    units: int
    failures: int
    running: int
    instances: int


@dataclass(frozen=True)
class LatestTraces:
    """The latest traces, the newest first, and the instances that were asked for them."""

    traces: tuple[TraceSummary, ...] = ()
    sources: tuple[TraceSource, ...] = ()
