"""How much load to make."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ['DEFAULT_REQUESTS', 'Plan', 'plan_of']

DEFAULT_REQUESTS = 1000  # where neither a number nor a duration is given


@dataclass(frozen=True)
class Plan:
    """So many calls in all, or as many as begin within `duration` seconds; whichever ends first.

    `concurrency` callers each wait for the end of one call before they make the next.
    """

    requests: int | None
    concurrency: int
    duration: float | None


def plan_of(requests: int | None, concurrency: int | None, duration: float | None) -> Plan | None:
    """Return what the options of a command line ask for; None: a single call and no load."""
    if requests is None and concurrency is None and duration is None:
        return None
    if requests is None and duration is None:
        requests = DEFAULT_REQUESTS
    callers = concurrency or 1
    # More callers than calls would have nothing to do.
    return Plan(requests, callers if requests is None else min(callers, requests), duration)
