"""The check `addresses`: does everybody announce an address that others reach."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lymph.core.addresses import is_loopback
from lymph.core.diagnosis import Answer, Check, Finding, NotChecked, Surroundings
from lymph.core.services import ServiceInstance
from lymph.core.transport.endpoints import scheme_of, split_tcp

__all__ = ['AddressesCheck', 'address_findings']

_NAMED = 5  # addresses in one finding


class AddressesCheck(Check):
    """Looks at what is registered where other machines read it."""

    about = 'addresses that instances announce'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Look; raises NotChecked for a registry that only this machine reads."""
        if not around.registry.beyond_host:
            raise NotChecked('no other machine reads the registry')
        return address_findings(around.fleet())


def address_findings(fleet: Iterable[Answer]) -> Iterator[Finding]:
    """Yield one finding for the loopback addresses of each host."""
    by_host: dict[str, list[str]] = {}
    for answer in fleet:
        host = answer.instance.hostname or 'an unknown host'
        # Each address once, although all services of an instance have the same endpoint.
        addresses = dict.fromkeys(
            each for _, member in answer.members for each in _loopbacks(member)
        )
        by_host.setdefault(host, []).extend(f'{each} of {answer.names}' for each in addresses)
    for host, found in sorted(by_host.items()):
        if not found:
            continue
        more = f' and {len(found) - _NAMED} more' if len(found) > _NAMED else ''
        yield Finding(
            f'addresses that other machines reach from instances on {host}',
            f'the loopback address {", ".join(found[:_NAMED])}{more}',
            'set container.ip there to an address of that machine (0.0.0.0: all of them), or '
            'container.advertise to where others reach it',
        )


def _loopbacks(instance: ServiceInstance) -> Iterator[str]:
    if scheme_of(instance.endpoint) == 'tcp' and is_loopback(split_tcp(instance.endpoint)[0]):
        yield instance.endpoint
    if instance.http_url and is_loopback(instance.ip or ''):
        yield instance.http_url
