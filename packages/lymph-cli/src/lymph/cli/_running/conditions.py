"""What the answer of an instance shows about it: rules that `lymph discover` and `lymph why` share.

`answer` is the instance's answer to `lymph.status`, or what came in its place.
"""

from __future__ import annotations

from lymph.core.diagnosis import Answer
from lymph.core.services import ServiceInstance

__all__ = ['is_draining', 'is_foreign', 'is_overloaded']


def is_foreign(instance: ServiceInstance, answer: Answer) -> bool:
    """Return whether another instance answered at the endpoint of `instance`."""
    # An address in the configuration has an identity that no process knows.
    announced = instance.pid is not None or instance.started is not None
    identity = answer.text('identity')
    return announced and identity is not None and identity != instance.identity


def is_draining(answer: Answer) -> bool:
    """Return whether the instance is stopping and refuses new calls."""
    return answer.status is not None and answer.status.get('draining') is True


def is_overloaded(answer: Answer) -> bool:
    """Return whether the instance refuses calls because all handlers that it may run are busy."""
    running, size = answer.number('handlers', 'running'), answer.number('handlers', 'pool_size')
    return running is not None and size is not None and running >= size > 0
