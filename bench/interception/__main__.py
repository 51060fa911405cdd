"""The command: measure what interceptors add to a unit of work, and write the table.

python -m bench.interception [--quick] [--page docs/performance.md]

A unit of work is what stands between a request and its method: `run_call`, with a link that sends
nothing; an event that is emitted into nothing; a whole call within this process. Interceptors only
proceed. All numbers of interceptors take turns. Each figure is the smallest of all rounds, since
whatever else runs can only add to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lymph
from bench.command import Command
from bench.document import table
from bench.machine import describe, load
from lymph.core.container import ServiceContainer
from lymph.core.interceptors import Work
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.null import NullEventSystem

__all__ = ['main']

_NUMBERS = (0, 1, 2, 5)  # interceptors
# units of work of a slice, rounds
_FULL = 5_000, 25
_QUICK = 3_000, 5


class _Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text: Any = None) -> Any:
        return text


class _Proceeding(lymph.Plugin, lymph.Interceptor):
    def intercept(self, work: Work, proceed: Callable[[], Any]) -> Any:
        return proceed()


class _ForRequests(_Proceeding):
    kinds = ('rpc',)


class _ForCalls(_Proceeding):
    kinds = ('call',)


class _ForAttempts(_Proceeding):
    kinds = ('try',)


class _ForEvents(_Proceeding):
    kinds = ('emit',)


@contextmanager
def _container(plugin: type[_Proceeding], number: int) -> Iterator[ServiceContainer]:
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        NullEventSystem(),
        ContainerSettings(block_threshold=0, drain_timeout=0),
    )
    container.install_interface(_Echo, 'echo')
    for _ in range(number):
        container.install_plugin(plugin)
    container.start()
    try:
        yield container
    finally:
        container.stop()


def _calls(container: ServiceContainer) -> Callable[[], object]:
    return lambda: container.request('echo', 'echo.echo')


def _emits(container: ServiceContainer) -> Callable[[], object]:
    return lambda: container.emit_event('something')


_KINDS: dict[str, tuple[type[_Proceeding], Callable[[ServiceContainer], Callable[[], object]]]] = {
    'a request in the service (`rpc`)': (_ForRequests, _calls),
    'a call (`call`)': (_ForCalls, _calls),
    'an attempt of a call (`try`)': (_ForAttempts, _calls),
    'an event that is emitted (`emit`)': (_ForEvents, _emits),
}


def _microseconds(work: Callable[[], object], units: int) -> float:
    """Return the processor time of one unit of work in microseconds."""
    before = time.process_time()
    for _ in range(units):
        work()
    return (time.process_time() - before) / units * 1e6


def _measure(plugin: type[_Proceeding], make: Any, units: int, rounds: int) -> list[float]:
    """Return the time of a unit with each number of interceptors."""
    found: dict[int, list[float]] = {number: [] for number in _NUMBERS}
    for _ in range(rounds):
        for number in _NUMBERS:
            with _container(plugin, number) as container:
                work = make(container)
                _microseconds(work, units // 10)
                found[number].append(_microseconds(work, units))
    return [min(times) for times in found.values()]


def _of_the_check(units: int, rounds: int) -> float:
    """Return the time of the check that finds no interceptor, in microseconds."""
    with _container(_Proceeding, 0) as container:
        chain = container.chains.of('rpc')

        def plain() -> None:
            return

        def checking() -> None:
            if chain.steps:
                return

        times = [
            [_microseconds(work, units * 10) for work in (plain, checking)] for _ in range(rounds)
        ]
    return min(each[1] for each in times) - min(each[0] for each in times)


def main(arguments: list[str] | None = None) -> None:
    """Measure, print the table and, unless it was a quick run, write the page."""
    command = Command('interception', __doc__, arguments)
    units, rounds = _QUICK if command.quick else _FULL
    before = load()
    rows = []
    for name, (plugin, make) in _KINDS.items():
        command.progress(name)
        none, *more = _measure(plugin, make, units, rounds)
        rows.append([name, f'{none:.1f} µs', *(f'+{each - none:.1f} µs' for each in more)])
    head = ['', 'none', *(f'{number}' for number in _NUMBERS[1:])]
    command.publish(
        f'{describe(("lymph-core", "gevent"), sides=False)}\n'
        f'The smallest of {rounds} rounds; load of the machine before: {before:.1f}.\n\n'
        f'Checking for interceptors: {_of_the_check(units, rounds):.3f} µs if there is none.\n\n'
        f'{table(head, rows)}'
    )


if __name__ == '__main__':
    main()
