"""The data of a node: facts about an instance, as JSON."""

from __future__ import annotations

import json

from lymph.core.services import Connector, ServiceInstance

__all__ = ['FormerInstance', 'decode', 'encode']

# facts that lymph 0.15 writes; this version always writes `started` as well
_OF_FORMER = frozenset(('backdoor_endpoint', 'log_endpoint', 'monitoring_endpoint'))
_SIZE = 64 * 1024  # bytes; facts about one instance are a few hundred


class FormerInstance(ValueError):
    """The facts describe an instance of lymph 0.15, which speaks another protocol."""


def encode(instance: ServiceInstance) -> bytes:
    """Return the data for the node of `instance`."""
    return json.dumps(instance.serialize()).encode()


def decode(data: bytes, connector: Connector | None) -> ServiceInstance:
    """Return the instance that the data of a node describes; it connects with `connector`.

    Raises FormerInstance for an instance of lymph 0.15, and ValueError for more than 64 KiB and
    for everything else that does not describe an instance.
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
