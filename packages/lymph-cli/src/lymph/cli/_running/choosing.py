"""Which interfaces run and at which address, where the command line says it."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from click import UsageError

from lymph.cli.outcomes import OperationFailed
from lymph.config import Configuration
from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.core._hosting.advertising import route_out

__all__ = ['chosen_interfaces', 'external_ip']


def chosen_interfaces(config: Configuration, names: Sequence[str]) -> frozenset[str] | None:
    """Return the keys of `interfaces` that are chosen by `names`; None for all, without names.

    A name without a version chooses all of its versions. Raises UsageError for a name that the
    configuration does not have.
    """
    known = list(config.view('interfaces'))
    chosen: set[str] = set()
    for name in names:
        found = [key for key in known if name in (key, key.partition('@')[0])]
        if not found:
            close = close_name(name, [*known, *(key.partition('@')[0] for key in known)])
            listed = ', '.join(known)
            advice = f'did you mean {quoted(close)}?' if close else f'there are {listed}'
            raise UsageError(
                f'--interface: no {quoted(name)} in the section interfaces of the configuration; '
                f'{advice}'
            )
        chosen.update(found)
    return frozenset(chosen) if names else None


def external_ip(ip: str | None) -> str:
    """Return the address of this machine that its default route leaves from.

    Raises UsageError if another one was given, OperationFailed without such a route.
    """
    if ip is not None:
        raise UsageError(f'--guess-external-ip and --ip={ip} exclude each other; give one of them')
    found = route_out(socket.AF_INET) or route_out(socket.AF_INET6)
    if found is None:
        raise OperationFailed(
            '--guess-external-ip: this machine has no default route whose address could be taken; '
            'name an address with --ip'
        )
    return found
