"""Sets the level of a logger in the instances of a service while they run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click
from click.exceptions import Exit

from lymph.cli._arguments.instances import Wanted, find_instances, parse_wanted
from lymph.cli._running.asking import open_client
from lymph.cli.outcomes import FAILED
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.config.printable import quoted
from lymph.core.greenlets import Pool
from lymph.exceptions import LymphError

__all__ = ['run']

#: Seconds for an answer; an instance that needs a look may be slow.
_TIMEOUT = 5.0


def run(
    settings: Settings, address: str, logger: str, level: str, period: float | None, as_json: bool
) -> None:
    """Tell all instances, and print a line for each.

    Raises LookupFailure when there are none, OperationFailed when the beginning of an identity is
    not that of one, Exit when one of them has not done it, UsageError for a name that no logger can
    have.
    """
    if not logger.isprintable():
        raise click.UsageError(f'expected the name of a logger, found {quoted(logger)}')
    wanted = None if '://' in address else parse_wanted(address)
    params: dict[str, Any] = {'logger': logger, 'level': level}
    if period is not None:
        params['period'] = period
    with open_client(settings) as client:

        def tell(endpoint: str) -> str | None:
            try:
                client.request(endpoint, 'lymph.change_loglevel', params, timeout=_TIMEOUT)
            except LymphError as error:
                return str(error)
            return None

        endpoints = [address] if wanted is None else _endpoints(client, wanted)
        errors = dict(zip(endpoints, Pool().map(tell, endpoints), strict=True))
    _print(Printer(settings), errors, f'{logger} {level}', as_json)
    if any(errors.values()):
        raise Exit(FAILED)


def _endpoints(client: Client, wanted: Wanted) -> list[str]:
    found = find_instances(client.container.registry, wanted)
    return list(dict.fromkeys(each.endpoint for each in found))


def _print(printer: Printer, errors: Mapping[str, str | None], words: str, as_json: bool) -> None:
    if as_json:
        printer.json([{'endpoint': each, 'error': error} for each, error in errors.items()])
        return
    for endpoint, error in errors.items():
        if error is None:
            printer.show(Text.assemble(line(endpoint, 'bold'), '  ', line(words)))
        else:
            say(f'{endpoint}  {error}')
