"""Subscriptions of the event system for the event handlers and tasks of an interface."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial, wraps
from typing import Any

from lymph.core import trace
from lymph.core._declaring.binding import bound
from lymph.core._declaring.tasks import Task
from lymph.core._hosting.handler_figures import HandlerStats
from lymph.core._loop import deadlines
from lymph.core._loop.current_call import set_current_work
from lymph.core._monitoring.recent_work import GIVEN_UP, RecentWork
from lymph.core._typing.misfits import Misfit
from lymph.core._typing.plans import CallPlan, EventTypes
from lymph.core._work.chains import Chain, Chains, surround
from lymph.core._work.forms import expect_done
from lymph.core._work.handling import HandlerWork
from lymph.core._work.headers import Headers, arrived
from lymph.core._work.units import Unit, in_unit
from lymph.core.events import Event
from lymph.core.failures import Killed, error_name
from lymph.core.interceptors import Work
from lymph.core.interfaces import Interface
from lymph.core.monitoring.histograms import SECONDS
from lymph.core.versioning import Version, parse_version
from lymph.events.base import Subscription
from lymph.events.deliveries import Attempt, decide, ends_once
from lymph.events.queue_names import queue_name
from lymph.exceptions import EventRejected

__all__ = [
    'event_subscriptions',
    'hosted',
    'newest_first',
    'of_newest',
    'task_subscriptions',
]


def of_newest(
    interfaces: Iterable[Interface], subscriptions: Callable[[Interface], list[Subscription]]
) -> Iterator[Subscription]:
    """Yield the subscriptions of all interfaces, each queue for one version only.

    Versions of an interface share its queues. If a process has several versions of an interface,
    the newest one that has the handler consumes.
    """
    owners: dict[str, Interface] = {}
    for interface in newest_first(interfaces):
        for subscription in subscriptions(interface):
            owner = owners.setdefault(subscription.queue_name, interface)
            if owner is interface or owner.name != interface.name:
                yield subscription


def newest_first(interfaces: Iterable[Interface]) -> list[Interface]:
    """Return the interfaces, the newest versions first."""
    return sorted(interfaces, key=_version, reverse=True)


def _version(interface: Interface) -> Version:
    return Version(0) if interface.version is None else parse_version(interface.version)


def event_subscriptions(interface: Interface) -> list[Subscription]:
    """Return a subscription for each event handler of an interface."""
    found = []
    for name, handler in interface.event_handlers.items():
        temporary = handler.broadcast or handler.once
        found.append(
            Subscription(
                queue_name(interface.name, handler.queue(name)),
                handler.event_types,
                _handles(interface, name, handler.types),
                sequential=handler.sequential,
                broadcast=handler.broadcast,
                once=handler.once,
                retry=handler.retry,
                durable=not temporary,
                work=HandlerWork(f'{interface.name}.{name}', interface),
            )
        )
    return found


def task_subscriptions(interface: Interface) -> list[Subscription]:
    """Return a subscription for each task of an interface."""
    return [
        Subscription(
            queue_name(interface.name, name),
            (task.event_type(interface.name),),
            _runs(bound(interface, name), task, task.types.plan(type(interface), name)),
            sequential=task.sequential,
            broadcast=task.broadcast,
            retry=task.retry,
            durable=not task.broadcast,
            work=HandlerWork(f'{interface.name}.{name}', interface, 'task'),
        )
        for name, task in interface.tasks.items()
    ]


def _handles(interface: Interface, name: str, types: EventTypes) -> Callable[[Event], Any]:
    """Return the handler of an interface, whose argument is converted to its annotated type."""
    handler: Callable[[Any], Any] = bound(interface, name)
    plan = types.plan(type(interface), name)
    return handler if plan is None else plan.around(handler)


def _runs(
    task: Callable[..., Any], declared: Task[Any], plan: CallPlan | None
) -> Callable[[Event], Any]:
    if plan is None:
        return lambda event: task(**event.body)
    convert = plan.convert

    def run(event: Event) -> Any:
        arguments: dict[str, Any] = event.body
        problem = declared.signature.problem(arguments)
        if problem is not None:
            raise EventRejected(problem)
        try:
            arguments = convert(arguments)
        except Misfit as misfit:
            raise EventRejected(str(misfit)) from misfit
        return task(**arguments)

    return run


class EventWork(Work):
    """An event or a task, as the interceptors of its handler see it."""

    def __init__(
        self,
        about: HandlerWork,
        subscription: Subscription,
        event: Event,
        handler: Callable[[Event], Any],
    ) -> None:
        super().__init__(about.kind, about.name)
        self.interface = None if about.interface is None else about.interface.name
        self.peer = event.source
        self.trace_id = trace.get_id()
        self.attempt = event.attempt
        self.event: Event = event
        self.queue = subscription.queue_name
        self.broadcast = subscription.broadcast
        self._handler = handler

    def run(self) -> Any:
        """Call the handler with the arguments as they are now."""
        if self._arguments is not None:
            self.event.body = self._arguments
        return self._handler(self.event)

    def _read_arguments(self) -> dict[str, Any]:
        return self.event.body

    def _read_headers(self) -> Headers:
        return arrived(self.event.headers)


def _failed_for_good(subscription: Subscription, event: Event, error: BaseException) -> bool:
    """Tell whether no attempt follows this one."""
    # `chance` only affects the delay
    return ends_once(decide(Attempt(event.attempt, error), subscription, chance=0.5))


def hosted(
    subscription: Subscription,
    stats: HandlerStats,
    ended: Callable[[], object],
    chains: Chains,
    recent: RecentWork,
) -> Subscription:
    """Return the subscription with its handler wrapped: it sets the context and counts events.

    From the outside in: the trace id of the event is set, and no deadline; interceptors of plugins;
    the unit of work, whose resources are closed here; the interceptor of the interface
    itself (`lymph.core._work.chains`); the handler. Errors are counted and raised again; the event
    system reports them and decides about the event. `ended()` is called when the event of a `once`
    subscription was handled or has failed for good. `recent` keeps what became of each attempt.
    """
    handler = subscription.handler
    durations, lags = stats.durations, stats.lags
    about = subscription.work or HandlerWork(subscription.queue_name)
    chain = chains.of(about.kind, about.interface) if about.intercepted else Chain()
    queue, name = subscription.queue_name, about.name
    kind = about.kind if about.intercepted else 'feed'

    def work_on(event: Event) -> Any:
        if about.restored is not None:
            event = about.restored(event)
        if chain.steps:
            work = EventWork(about, subscription, event, partial(chain.enter, handler))
            return surround(chain.steps, work, work.run)
        return in_unit(handler, event) if Unit.needed else handler(event)

    @wraps(handler, assigned=('__module__', '__name__', '__qualname__'), updated=())  # for errors
    def handle(event: Event) -> None:
        trace_id = event.headers.get('trace_id')
        trace_id = trace.set_id(trace_id if trace.is_valid(trace_id) else None)
        deadlines.set_current(None)
        id = event.id, queue, event.attempt
        set_current_work(id)
        started = time.monotonic()
        key = recent.begin(kind, trace_id, id, event.id, name, queue, started, event.attempt)
        outcome = 'ok'
        # inlined `Histogram.observe`, here and below, since this runs for every event
        if event.due is not None and event.attempt == 1:
            lag = time.time() - event.due
            if lag < 0:
                lag = 0.0  # the clock of the emitter is ahead of this one
            bucket = bisect_left(SECONDS, lag)
            lags.counts[bucket] += 1
            lags.sum += lag
            lags.exemplars[bucket] = trace_id, lag, started
        stats.running += 1
        try:
            result = work_on(event)
            if result is not None:
                expect_done(result)
            stats.handled += 1
        except Killed:
            outcome = 'Killed'
            raise
        except BaseException as error:
            outcome = error_name(error)
            stats.failed += 1
            if _failed_for_good(subscription, event, error):
                outcome += GIVEN_UP
                if subscription.once:
                    ended()
            raise
        finally:
            stats.running -= 1
            now = time.monotonic()
            seconds = now - started
            bucket = bisect_left(SECONDS, seconds)
            durations.counts[bucket] += 1
            durations.sum += seconds
            durations.exemplars[bucket] = trace_id, seconds, now
            recent.end(key, outcome)
        if subscription.once:
            ended()

    return replace(subscription, handler=handle, failed=stats.count_failed)
