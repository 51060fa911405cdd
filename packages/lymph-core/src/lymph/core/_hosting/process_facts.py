"""What an operator asks of any process: its version, its clock, how many files it has open."""

from __future__ import annotations

import functools
import os
import resource
import time
from importlib import import_module
from typing import Any

__all__ = ['open_descriptors', 'process_facts']

# Linux; macOS and the BSDs
_DESCRIPTORS = ('/proc/self/fd', '/dev/fd')


def process_facts() -> dict[str, Any]:
    """Return facts about this process, in serializable types.

    =============  ============================================================================
    `version`      of lymph-core; None where it is not installed
    `time`         what its clock says: Unix time in seconds
    `descriptors`  `open`, how many there are (None where the system does not tell), and `limit`
    =============  ============================================================================
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = None if soft == resource.RLIM_INFINITY else soft
    return {
        'version': _version(),
        'time': time.time(),
        'descriptors': {'open': open_descriptors(), 'limit': limit},
    }


def open_descriptors() -> int | None:
    """Return how many descriptors this process has open, None where the system does not tell."""
    for folder in _DESCRIPTORS:
        try:
            return len(os.listdir(folder)) - 1  # without the one that lists
        except OSError:
            continue
    return None


@functools.cache
def _version() -> str | None:
    metadata: Any = import_module('importlib.metadata')  # takes its time, and few ask
    try:
        return str(metadata.version('lymph-core'))
    except metadata.PackageNotFoundError:
        return None
