"""What a node says about an instance: the facts as JSON."""

from __future__ import annotations

import json

from lymph.core.services import Connector, ServiceInstance

__all__ = ['decode', 'encode']

_SIZE = 64 * 1024  # bytes; facts about one instance are a few hundred


def encode(instance: ServiceInstance) -> bytes:
    """Return what a node says about an instance."""
    return json.dumps(instance.serialize()).encode()


def decode(data: bytes, connector: Connector | None) -> ServiceInstance:
    """Return the instance that a node tells of; raises ValueError."""
    if len(data) > _SIZE:
        raise ValueError(f'expected at most {_SIZE} bytes, found {len(data)}')
    try:
        facts = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise ValueError(f'not the facts about an instance: {error}') from error
    if not isinstance(facts, dict):
        raise ValueError(f'expected an object, found {type(facts).__name__}')
    return ServiceInstance.deserialize(facts, connector)
