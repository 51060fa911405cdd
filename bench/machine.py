"""What a measurement was made on: versions and cores."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from bench import cores

__all__ = ['describe', 'load']


def describe(distributions: Iterable[str], sides: bool = True) -> str:
    """Return a sentence for each: interpreter, machine, and the versions of `distributions`.

    `sides`: whether there are two sides, which have a core each where there are two.
    """
    versions = ', '.join(f'{name} {metadata.version(name)}' for name in distributions)
    usable = f'{len(cores.available())} cores'
    if sides:
        usable += ': one for each side' if cores.pinned() else ': shared by both sides'
    return (
        f'{platform.python_implementation()} {platform.python_version()} on'
        f' {platform.system()} {platform.machine()}, {_processor()}, {usable}.\n'
        f'{versions}.'
    )


def load() -> float:
    """Return how many processes wanted a core on average over the last minute.

    To be asked before the measurement begins: what else runs takes its share of the cores, and the
    more of it from those subjects that use few threads.
    """
    return os.getloadavg()[0]


def _processor() -> str:
    """Return the name of the processor where the system tells it."""
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or 'an unknown processor'
