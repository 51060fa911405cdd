"""Components: parts of a running container, in a tree with the container as its root.

Source: the manual, section 5.6. A component that is not given an error hook, a pool and so on uses
those of its parent; the root makes its own.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, ParamSpec, TypedDict, TypeVar

from lymph.config import Location
from lymph.config.places import noted
from lymph.core import trace
from lymph.core._loop.hooks import Hook
from lymph.core._work.forms import check_hooks
from lymph.core._work.names import check_resource_names
from lymph.core.failures import Killed, described, log_failure
from lymph.core.greenlets import Greenlet, Pool
from lymph.core.monitoring.log_limits import LimitedLog
from lymph.core.monitoring.metrics import Aggregate
from lymph.core.workers import Workers
from lymph.exceptions import LymphError

__all__ = ['Component', 'ComponentParts', 'Componentized']

logger = logging.getLogger(__name__)

P = ParamSpec('P')
T = TypeVar('T')


class ComponentParts(TypedDict, total=False):
    """The keywords of `Component`, for subclasses that pass them on."""

    error_hook: Hook | None
    pool: Pool | None
    metrics: Aggregate | None
    workers: Workers | None


class Component:
    """A part that is started and stopped with its container.

    `error_hook` is called for exceptions in this component, `pool` holds its long-running
    greenlets, `workers` runs its handlers of calls and events, `metrics` collects its metrics. Each
    defaults to that of the parent.
    """

    parent: Component | None = None
    _spawn_log: LimitedLog | None = None  # for errors of spawned greenlets; made for the first one
    #: the place in the configuration that describes this component, for errors
    configured_at: Location | None = None
    _error_hook: Hook | None
    _pool: Pool | None
    _metrics: Aggregate | None
    _workers: Workers | None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        check_resource_names(cls)
        check_hooks(cls)

    def __init__(
        self,
        error_hook: Hook | None = None,
        pool: Pool | None = None,
        metrics: Aggregate | None = None,
        workers: Workers | None = None,
    ) -> None:
        self._error_hook = error_hook
        self._pool = pool
        self._metrics = metrics
        self._workers = workers

    @property
    def error_hook(self) -> Hook:
        """Called as ``error_hook(error, **details)`` for errors that nothing else handles.

        `details` depend on what has failed; `trace_id` is one of them, None outside of any work.
        docs/interceptors.md lists them.
        """
        if self._error_hook is None:
            self._error_hook = Hook('error_hook') if self.parent is None else self.parent.error_hook
        return self._error_hook

    @property
    def pool(self) -> Pool:
        """The group of greenlets that ends with this component or its parent."""
        if self._pool is None:
            self._pool = Pool() if self.parent is None else self.parent.pool
        return self._pool

    @property
    def workers(self) -> Workers:
        """The bounded set of greenlets that runs handlers of calls and events."""
        if self._workers is None:
            self._workers = Workers() if self.parent is None else self.parent.workers
        return self._workers

    @property
    def metrics(self) -> Aggregate:
        """The metrics this component adds to."""
        if self._metrics is None:
            self._metrics = Aggregate() if self.parent is None else self.parent.metrics
        return self._metrics

    def on_start(self) -> None:
        """Called when the container is started. An error ends the start of the container."""

    def on_drain(self, timeout: float) -> int:
        """Called during a graceful stop, after the container has left the registry.

        Finish running work within `timeout` seconds; return how many pieces of work were cut short,
        without those given to `count_cut`. A stop at once raises `Killed` here, and then calls
        `on_stop`.
        """
        return 0

    def on_stop(self) -> None:
        """Called when the container is stopped, and after an `on_start` that failed.

        Give the number of pieces of work that this cuts short to `count_cut`.
        """

    def count_cut(self, count: int) -> None:
        """Add to the number of pieces of work cut short, which `drain` and `stop` return.

        For work that is cut elsewhere than in `on_drain`, or where `on_drain` may be interrupted
        before it returns. Count each piece once.
        """
        if self.parent is not None:
            self.parent.count_cut(count)

    def spawn(self, func: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Greenlet:
        """Run `func` in a new greenlet of the pool and return the greenlet.

        It gets the trace id of the caller but not its deadline. Any exception of `func` is logged
        and passed to the error hook, except when the greenlet is killed or the pool ends. Raises
        WrongThread in another native thread.
        """

        def run() -> Any:
            try:
                return func(*args, **kwargs)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
                self._log_spawned(error)
                self.error_hook(error, component=self, function=func, trace_id=trace.get_id())
                return None

        pool = self.pool
        pool.check_thread()  # first: a greenlet made in another thread belongs to another loop
        greenlet = Greenlet(run)
        pool.start(greenlet)
        return greenlet

    def _log_spawned(self, error: BaseException) -> None:
        if self._spawn_log is None:
            self._spawn_log = LimitedLog(logger)  # needs no `close`: its timer ends by itself
        name, text = described(self), 'a greenlet of %s failed'
        self._spawn_log.write(logging.ERROR, name, text, name, exc_info=error)

    def _reported(self, function: Callable[..., T], what: str, *args: Any) -> T | None:
        """Call a function of a component; on an error, log it, call the error hook, return None."""
        try:
            return function(*args)
        except Killed:
            raise
        except BaseException as error:  # noqa: BLE001 - the edge of somebody else's code
            component = getattr(function, '__self__', None)
            log_failure(logger, error, '%s could not be %s', described(component), what)
            self.error_hook(error, component=component, function=function, trace_id=trace.get_id())
            return None


class Componentized(Component):
    """A component made of components: started in the order they were added, stopped in reverse."""

    def __init__(
        self,
        error_hook: Hook | None = None,
        pool: Pool | None = None,
        metrics: Aggregate | None = None,
        workers: Workers | None = None,
    ) -> None:
        super().__init__(error_hook, pool, metrics, workers)
        self.components: list[Component] = []
        self._started: list[Component] = []
        self._running = False
        self._stops = 0

    def add_component(self, component: Component) -> None:
        """Add `component` to the tree; it starts with the others, or at once if this is running.

        If it fails to start at once, it is stopped and not added, and its error is raised. Raises
        ValueError for a component that was added before, LymphError if this is stopped while the
        component starts.
        """
        if any(known is component for known in self.components):
            raise ValueError(f'{described(component)} was added before')
        if self._running:
            self._start_and_add(component)
        else:
            component.parent = self
            self.components.append(component)

    def _start_and_add(self, component: Component) -> None:
        stops = self._stops
        before, component.parent = component.parent, self
        try:
            with noted(component.configured_at, 'on_start'):
                component.on_start()
            if stops != self._stops:
                raise LymphError(f'{described(self)} was stopped while a component was added')
            self.on_component_start(component)
        except BaseException:
            try:
                self._reported(component.on_stop, 'stopped')
            finally:
                component.parent = before
            raise
        self.components.append(component)
        self._started.append(component)

    def on_start(self) -> None:
        """Start all components; if one fails, stop those that were started and raise its error."""
        self._running = True
        for component in self.components:
            if any(known is component for known in self._started):
                continue  # a component before it has added it, which has started it
            self._started.append(component)
            try:
                with noted(component.configured_at, 'on_start'):
                    component.on_start()
                self.on_component_start(component)
            except BaseException:
                self.on_stop()
                raise

    def on_component_start(self, component: Component) -> None:
        """Called after a component has started."""

    def on_component_stop(self, component: Component) -> None:
        """Called before a component is stopped."""

    def on_drain(self, timeout: float) -> int:
        """Drain the started components, within `timeout` seconds for all of them together.

        An error is logged and passed to the error hook; the other components are still drained.
        """
        end = time.monotonic() + timeout
        cut = 0
        for component in tuple(self._started):
            left = max(0.0, end - time.monotonic())
            try:
                drained = self._reported(component.on_drain, 'drained', left)
            except Killed:  # a stop at once: what was cut until now has no other way out
                self.count_cut(cut)
                raise
            cut += drained if isinstance(drained, int) else 0
        return cut

    def on_stop(self) -> None:
        """Stop the started components in reverse order.

        An error is logged and passed to the error hook; the other components are still stopped, as
        they are if this greenlet is killed meanwhile: `Killed` is raised afterwards.
        """
        self._running = False
        self._stops += 1
        killed: Killed | None = None
        while self._started:
            component = self._started.pop()
            self.on_component_stop(component)
            try:
                self._reported(component.on_stop, 'stopped')
            except Killed as error:
                killed = error
        if killed is not None:
            raise killed
