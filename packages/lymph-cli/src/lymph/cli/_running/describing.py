"""Asks what a service offers: one instance of each of its versions, and merges what they answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gevent.pool import Pool

from lymph.cli._arguments.instances import Wanted, find_instances
from lymph.cli._arguments.subjects import version_order
from lymph.cli._display.descriptions import Description, merged, read_description
from lymph.cli.outcomes import OperationFailed
from lymph.client import Client
from lymph.core.services import ServiceInstance
from lymph.exceptions import RpcError

__all__ = ['Answers', 'ask_endpoint', 'ask_service']

_AT_ONCE = 20  # instances that are asked at the same time
_Outcome = Description | RpcError | OperationFailed


class Answers(NamedTuple):
    """What was answered, and by version an error where no instance of a version has answered."""

    description: Description
    missing: Mapping[str | None, Exception]


def ask_endpoint(client: Client, endpoint: str) -> Answers:
    """Return what the instance at an endpoint offers; raises RpcError and OperationFailed."""
    return Answers(read_description(client.request(endpoint, 'lymph.inspect')), {})


def ask_service(client: Client, wanted: Wanted) -> Answers:
    """Return what the wanted instances of a service offer, merged over their versions.

    Of each version, instances are asked until one answers. A process that has several versions is
    asked once. Raises the error of the newest version if no instance of any version answers, and
    what `find_instances` does.
    """
    left = _by_version(find_instances(client.container.registry, wanted))
    versions = list(left)
    outcomes: dict[str, _Outcome] = {}
    missing: dict[str | None, Exception] = {}

    def ask(endpoint: str) -> _Outcome:
        try:
            return ask_endpoint(client, endpoint).description
        except (RpcError, OperationFailed) as error:
            return error

    while left:
        asked = {endpoints[0]: None for endpoints in left.values() if endpoints[0] not in outcomes}
        outcomes.update(zip(asked, Pool(_AT_ONCE).map(ask, asked), strict=True))
        for version, endpoints in list(left.items()):
            outcome = outcomes[endpoints.pop(0)]
            if isinstance(outcome, Description):
                del left[version]
            elif not endpoints:
                missing[version] = outcome
                del left[version]
    found = [each for each in outcomes.values() if isinstance(each, Description)]
    if not found:
        raise missing[versions[0]]
    return Answers(
        merged(found), {version: missing[version] for version in versions if version in missing}
    )


def _by_version(instances: Sequence[ServiceInstance]) -> dict[str | None, list[str]]:
    """Return the endpoints of the instances of each version, the newest first."""
    found: dict[str | None, list[str]] = {}
    for each in sorted(instances, key=lambda each: version_order(each.version), reverse=True):
        found.setdefault(each.version, []).append(each.endpoint)
    return found
