"""Facts about the process for an operator: version, clock, open descriptors."""

from __future__ import annotations

import functools
import os
import resource
import time
from importlib import import_module
from typing import Any

__all__ = ['lymph_version', 'open_descriptors', 'process_facts']

# Linux; macOS and the BSDs
_DESCRIPTORS = ('/proc/self/fd', '/dev/fd')


def process_facts() -> dict[str, Any]:
    """Return facts about this process, in serializable types.

    =============  ============================================================================
    `version`      of lymph-core; None if the distribution is not installed
    `time`         its wall clock: Unix time in seconds
    `descriptors`  `open`, their number (None if the system does not tell); `limit`, RLIMIT_NOFILE
    =============  ============================================================================
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = None if soft == resource.RLIM_INFINITY else soft
    return {
        'version': lymph_version(),
        'time': time.time(),
        'descriptors': {'open': open_descriptors(), 'limit': limit},
    }


def open_descriptors() -> int | None:
    """Return the number of open descriptors of this process, None if the system does not tell."""
    for folder in _DESCRIPTORS:
        try:
            return len(os.listdir(folder)) - 1  # `listdir` itself has one open
        except OSError:
            continue
    return None


@functools.cache
def lymph_version() -> str | None:
    """Return the version of lymph-core, None if the distribution is not installed."""
    metadata: Any = import_module('importlib.metadata')  # slow to import, and rarely needed
    try:
        return str(metadata.version('lymph-core'))
    except metadata.PackageNotFoundError:
        return None
