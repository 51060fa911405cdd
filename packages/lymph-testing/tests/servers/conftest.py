"""Shared by the tests of the servers: the processes of a folder, and waiting for their end."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from pathlib import Path

import pytest


def _processes_of(folder: Path) -> set[int]:
    found = set()
    for process in Path('/proc').glob('[0-9]*'):
        try:
            told = (process / 'environ').read_bytes() + (process / 'cmdline').read_bytes()
        except OSError:  # it has just ended
            continue
        if str(folder).encode() in told:
            found.add(int(process.name))
    return found


def _gone(pid: int, timeout: float = 30.0) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], timeout)[0])
    finally:
        os.close(descriptor)


@pytest.fixture
def processes_of() -> Callable[[Path], set[int]]:
    """Find the processes whose command or environment names a folder."""
    return _processes_of


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Wait until a process has ended; False after 30 s."""
    return _gone
