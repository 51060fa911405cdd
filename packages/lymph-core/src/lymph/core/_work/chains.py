"""Chains of interceptors: they wrap each unit of work, and change when plugins start and stop.

A chain has a *step* for each interceptor, outermost first: the plugins in the order in which they
were added to the container, then the interface itself around its own work (`inner_steps`). Code
that starts units of work gets its chain once and reads `Chain.steps` for each unit, so a unit
without interceptors costs one truth test::

    steps = chain.steps
    result = surround(steps, work, last) if steps else last()

The resources of a unit of work (`lymph.core._work.units`) are closed inside the interceptors of
plugins, but outside the interceptor of the interface. The step of the interface opens the unit;
without such a step, `Chain.enter` does.
"""

from __future__ import annotations

from collections.abc import Callable
from traceback import walk_tb
from typing import Any, Final, Protocol, TypeVar

from greenlet import getcurrent

from lymph.core._work.shield import is_killed
from lymph.core._work.units import Unit, in_unit
from lymph.core.failures import Killed
from lymph.core.interceptors import Interceptor, Kind, Work, check_kinds

__all__ = ['Chain', 'ChainStep', 'Chains', 'check_interceptor', 'raised_by', 'surround']

R = TypeVar('R')


class ChainStep(Protocol):
    """One interceptor of a chain."""

    @property
    def intercept(self) -> Callable[[Work, Callable[[], Any]], Any]:
        """Called with the unit of work and `proceed`; returns the result of the unit."""


#: the kinds of work that an interface does itself
_OWN: Final = frozenset[Kind](('rpc', 'event', 'task', 'http'))

_TWICE: Final = 'proceed() was called a second time: the work runs once'
_LATE: Final = 'proceed() was called after intercept() had returned'
_NOT_KILLED: Final = 'an interceptor raised Killed: only lymph does, when it ends the work'
_ELSEWHERE: Final = 'proceed() was called in another greenlet than intercept()'


class Chain:
    """The steps around one kind of work; they are replaced when a plugin starts or stops."""

    __slots__ = ('_opens_unit', 'steps')

    def __init__(self, steps: tuple[ChainStep, ...] = (), opens_unit: bool = False) -> None:
        self.steps = steps
        self._opens_unit = opens_unit  # whether the innermost step opens the unit

    def enter(self, func: Callable[..., R], *args: Any) -> R:
        """Call `func`, which does the work inside all steps, in a unit of work."""
        if self._opens_unit or not Unit.needed:
            return func(*args)
        return in_unit(func, *args)


class Chains:
    """All chains of a container."""

    def __init__(self) -> None:
        self._plugins: list[_PluginStep] = []
        self._chains: dict[tuple[Kind, int, bool], tuple[Chain, object]] = {}

    def of(self, kind: Kind, interface: object = None, builtin: bool = False) -> Chain:
        """Return the chain for work of a kind, always the same object.

        `interface` is the one that does the work, if any. Work of the built-in interface
        (`builtin`) is only intercepted by plugins that set `builtin`.
        """
        key = kind, id(interface), builtin  # an author's class may have no hash
        if key not in self._chains:
            opens_unit = bool(inner_steps(kind, interface))
            self._chains[key] = Chain(self._steps(kind, interface, builtin), opens_unit), interface
        return self._chains[key][0]

    def add(self, plugin: Interceptor) -> None:
        """Add a plugin inside all others; raises TypeError for unknown kinds."""
        check_kinds(plugin.kinds, type(plugin).__name__)
        self._plugins.append(_PluginStep(plugin))
        self._build()

    def remove(self, plugin: object) -> None:
        """Remove a plugin, also from running work that has not reached it; ignore other objects."""
        for step in [step for step in self._plugins if step.plugin is plugin]:
            step.end()
            self._plugins.remove(step)
            self._build()

    def _build(self) -> None:
        for (kind, _, builtin), (chain, interface) in self._chains.items():
            chain.steps = self._steps(kind, interface, builtin)

    def _steps(self, kind: Kind, interface: object, builtin: bool) -> tuple[ChainStep, ...]:
        outer: list[ChainStep] = [
            step
            for step in self._plugins
            if kind in step.plugin.kinds and (step.plugin.builtin or not builtin)
        ]
        return (*outer, *inner_steps(kind, interface))


def inner_steps(kind: Kind, interface: object) -> list[ChainStep]:
    """Return the steps that an interface itself adds around its work, outermost first."""
    if isinstance(interface, Interceptor) and kind in interface.kinds:
        return [_InterfaceStep(interface)]
    return []


class _InterfaceStep:
    """The step of an interface; opens the unit of work, so that it may use resources itself."""

    __slots__ = ('_interface',)

    def __init__(self, interface: Interceptor) -> None:
        self._interface = interface

    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        if Unit.needed:
            return in_unit(self._interface.intercept, work, proceed)
        return self._interface.intercept(work, proceed)


def check_interceptor(interface: object) -> None:
    """Raise TypeError for an interceptor whose `kinds` have none that an interface does itself."""
    if not isinstance(interface, Interceptor):
        return
    name = type(interface).__name__
    check_kinds(interface.kinds, name)
    if not _OWN.intersection(interface.kinds):
        raise TypeError(
            f'{name}: expected kinds of work that an interface does itself '
            f'({", ".join(sorted(_OWN))}), found {", ".join(sorted(interface.kinds)) or "none"}; '
            'use a plugin for other kinds'
        )


class _PluginStep:
    """The step of a plugin; passes the work on once the plugin has stopped."""

    __slots__ = ('intercept', 'plugin')

    def __init__(self, plugin: Interceptor) -> None:
        self.plugin = plugin
        self.intercept: Callable[[Work, Callable[[], Any]], Any] = plugin.intercept

    def end(self) -> None:
        self.intercept = _pass_on


def _pass_on(work: Work, proceed: Callable[[], Any]) -> Any:
    return proceed()


def surround(
    steps: tuple[ChainStep, ...], work: Work, last: Callable[[], Any], index: int = 0
) -> Any:
    """Run `last()` inside the steps from `index` on; return or raise what the outermost does.

    `Killed` always goes through, even if an interceptor catches it. One that an interceptor itself
    raises is a RuntimeError, unless the greenlet is being ended.
    """
    turn = _Turn(steps, work, last, index + 1)
    try:
        result = steps[index].intercept(work, turn.proceed)
    except Killed as error:
        if not (work.killed or is_killed()):
            raise RuntimeError(_NOT_KILLED) from error
        work.killed = True
        raise
    except BaseException as error:
        if work.killed:
            raise Killed from error
        raise
    finally:
        turn.spent = turn.spent or _LATE
    if work.killed:
        raise Killed
    return result


def raised_by(error: BaseException) -> object | None:
    """Return the plugin whose `intercept` raised an error, None if what it surrounds did.

    Its traceback tells, so units of work pay nothing for that.
    """
    step: object = None
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code is surround.__code__:
            step = frame.f_locals['steps'][frame.f_locals['index']]
        elif frame.f_code is _Turn.proceed.__code__:
            step = None
    return step.plugin if isinstance(step, _PluginStep) else None


class _Turn:
    """The turn of one interceptor: `proceed` runs the interceptors after it, then the work.

    Interceptors get a bound method, not a callable object: Python calls it without a C frame, and
    C frames are copied whenever the greenlet switches.
    """

    __slots__ = ('_greenlet', '_index', '_last', '_steps', '_work', 'spent')

    def __init__(
        self, steps: tuple[ChainStep, ...], work: Work, last: Callable[[], Any], index: int
    ) -> None:
        self._steps = steps
        self._work = work
        self._last = last
        self._index = index
        self._greenlet = id(getcurrent())  # no reference: a greenlet that has one is not reused
        self.spent = ''  # why `proceed` cannot be called any more

    def proceed(self) -> Any:
        """Do the work and return its result; raises what the work raises."""
        if self.spent:
            raise RuntimeError(self.spent)
        if id(getcurrent()) != self._greenlet:
            raise RuntimeError(_ELSEWHERE)
        self.spent = _TWICE
        if self._index < len(self._steps):
            return surround(self._steps, self._work, self._last, self._index)
        try:
            return self._last()
        except Killed:
            self._work.killed = True
            raise
