"""What became of the processes of instances, where they are those of this machine."""

from __future__ import annotations

import socket

import psutil

from lymph.cli._running.reasons import Process
from lymph.core.services import ServiceInstance

__all__ = ['process_of']

#: Seconds by which a process that has an instance may seem to be younger than it is.
_LEEWAY = 5.0


def process_of(instance: ServiceInstance) -> Process:
    """Tell what became of the process of an instance; never waits."""
    if instance.pid is None or instance.hostname != socket.gethostname():
        return 'unknown'
    try:
        process = psutil.Process(instance.pid)
        if instance.started is not None and process.create_time() > instance.started + _LEEWAY:
            return 'gone'  # its number is another one's now
        status = process.status()
    except psutil.NoSuchProcess:
        return 'gone'
    except psutil.Error:
        return 'unknown'
    if status == psutil.STATUS_STOPPED:
        return 'stopped'
    return 'gone' if status == psutil.STATUS_ZOMBIE else 'running'
