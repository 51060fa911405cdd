"""The data of a node: facts about an instance, as JSON."""

from __future__ import annotations

import json

from lymph.core.services import Connector, ServiceInstance

__all__ = ['FormerInstance', 'decode', 'encode']

# the facts of lymph 0.15; those of this version have the time of the start, too
_OF_FORMER = frozenset(('backdoor_endpoint', 'log_endpoint', 'monitoring_endpoint'))
_SIZE = 64 * 1024  # bytes; facts about one instance are a few hundred


class FormerInstance(ValueError):
    """The facts describe an instance of lymph 0.15, which speaks another protocol."""


def encode(instance: ServiceInstance) -> bytes:
    """Return the data of the node of an instance."""
    return json.dumps(instance.serialize()).encode()


def decode(data: bytes, connector: Connector | None) -> ServiceInstance:
    """Return the instance that the data of a node describe.

    `connector` is what it connects with. Raises ValueError for anything else, FormerInstance for
    one of lymph 0.15.
    """
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
