"""Which processor core each side of a measurement runs on."""

from __future__ import annotations

import os

__all__ = ['CLIENT', 'SERVER', 'available', 'on', 'pin', 'pinned']

SERVER, CLIENT = 'server', 'client'


def available() -> list[int]:
    """Return the cores that this process may use, in order; empty where nobody can tell."""
    if not hasattr(os, 'sched_getaffinity'):  # Linux has it
        return []
    return sorted(os.sched_getaffinity(0))


def pinned() -> bool:
    """Tell whether each side gets a core of its own."""
    return len(available()) >= 2


def pin(side: str) -> None:
    """Keep this process and the threads it will start on the core of `side`, if there are two."""
    if pinned():
        os.sched_setaffinity(0, {_core(side)})


def on(side: str) -> list[str]:
    """Return the words before a command that keep it on the core of `side`, if there are two."""
    return ['taskset', '--cpu-list', str(_core(side))] if pinned() else []


def _core(side: str) -> int:
    return available()[0 if side == SERVER else 1]
