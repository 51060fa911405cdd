"""Compares the walks that ARCHITECTURE.md draws with the modules that really run."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import greenlet
from gevent.threadpool import ThreadPool

from lymph.testing.waiting import eventually

__all__ = ['check_walk', 'drawn', 'passing']


def drawn(document: str, *headings: str) -> set[str]:
    """Return the modules in the first drawing below each heading, without `lymph.`.

    Raises AssertionError if a module is drawn twice.
    """
    modules: list[str] = []
    for heading in headings:
        section = re.split(rf'^#+ {re.escape(heading)}$', document, flags=re.MULTILINE)[1]
        modules += re.findall(r'\w+(?:\.\w+)+', section.split('```')[1])
    assert len(modules) == len(set(modules)), f'drawn twice: {sorted(modules)}'
    return set(modules)


@contextmanager
def passing() -> Iterator[set[str]]:
    """Yield the set of modules of lymph, without `lymph.`, whose functions have run in the block.

    All greenlets of this thread count, and all work that thread pools of gevent begin in the block.
    Modules of `lymph.testing` are left out.
    """
    found: set[str] = set()
    pools: Any = ThreadPool
    spawn = pools.spawn

    def note(frame: FrameType, event: str, argument: Any) -> None:
        name = frame.f_globals.get('__name__', '')
        if event == 'call' and name.startswith('lymph.') and not name.startswith('lymph.testing.'):
            found.add(name.removeprefix('lymph.'))

    def switched(event: str, greenlets: Any) -> None:
        sys.setprofile(note)  # each greenlet has a profiler of its own

    def in_pool(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        sys.setprofile(note)
        try:
            return func(*args, **kwargs)
        finally:
            sys.setprofile(None)

    def spawn_profiled(pool: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return spawn(pool, in_pool, func, *args, **kwargs)

    profiler, tracer = sys.getprofile(), greenlet.gettrace()
    pools.spawn = spawn_profiled
    greenlet.settrace(switched)
    sys.setprofile(note)
    try:
        yield found
    finally:
        sys.setprofile(profiler)
        greenlet.settrace(tracer)
        pools.spawn = spawn


def check_walk(
    work: Callable[[], object], expected: set[str], upkeep: Iterable[str] = (), runs: int = 3
) -> None:
    """Run `work` several times, and raise AssertionError unless it passes the expected modules.

    Waits up to 30 s for modules that run after `work` has returned. `upkeep` names modules that
    timers may call meanwhile; they are ignored where they are not expected. `work` is called once
    before, so that connections, greenlets and caches are there.
    """
    work()
    with passing() as found:
        for _ in range(runs):
            work()
        eventually(
            lambda: found >= expected,
            timeout=30,
            message=lambda: f'the walk passes {sorted(expected - found)}: this',
        )
    assert found - (set(upkeep) - expected) == expected
