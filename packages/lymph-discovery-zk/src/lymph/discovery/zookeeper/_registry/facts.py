"""What a node says about an instance: the facts as JSON."""

from __future__ import annotations

import json

from lymph.core.services import Connector, ServiceInstance

__all__ = ['FormerInstance', 'decode', 'encode']

# what lymph 0.15 notes of each instance; it does not note when one has started, as we do
_OF_FORMER = frozenset(('backdoor_endpoint', 'log_endpoint', 'monitoring_endpoint'))
_SIZE = 64 * 1024  # bytes; facts about one instance are a few hundred


class FormerInstance(ValueError):
    """The facts are those of an instance of lymph 0.15, which nobody here can call."""


def encode(instance: ServiceInstance) -> bytes:
    """Return what a node says about an instance."""
    return json.dumps(instance.serialize()).encode()


def decode(data: bytes, connector: Connector | None) -> ServiceInstance:
    """Return the instance that a node tells of; raises ValueError, or FormerInstance."""
    if len(data) > _SIZE:
        raise ValueError(f'expected at most {_SIZE} bytes, found {len(data)}')
    try:
        facts = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f'not the facts about an instance: {error}') from error
    if not isinstance(facts, dict):
        raise ValueError(f'expected an object, found {type(facts).__name__}')
    if 'started' not in facts and not _OF_FORMER.isdisjoint(facts):
        raise FormerInstance('expected an instance of this lymph, found one of lymph 0.15')
    return ServiceInstance.deserialize(facts, connector)
