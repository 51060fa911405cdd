"""Prints what a service offers, as one of its instances describes it."""

from __future__ import annotations

import inspect
from typing import Any

from rich.padding import Padding
from rich.text import Text

from lymph.cli.printing import Printer, say
from lymph.cli.running.asking import open_client
from lymph.cli.settings import Settings

__all__ = ['run']

#: The interface that every instance has.
_BUILTIN = 'lymph'


def run(settings: Settings, address: str, everything: bool, as_json: bool) -> None:
    """Print the methods of a service, or those of the instance at an endpoint.

    With `everything`, print all methods of the instance. Raises RpcError if nobody describes them.
    """
    with open_client(settings) as client:
        reply = client.request(address, 'lymph.inspect')
    methods = [each for each in reply['methods'] if everything or _belongs(each, address)]
    methods.sort(key=lambda each: (each['name'], each.get('version') or ''))
    printer = Printer(settings)
    if as_json:
        printer.json({'methods': methods})
    elif not methods:
        say(f'{address} offers no methods; --all shows what every instance has')
    for each in [] if as_json else methods:
        _show(printer, each)


def _belongs(method: dict[str, Any], address: str) -> bool:
    interface = str(method['name']).rpartition('.')[0]
    return interface == address if '://' not in address else interface != _BUILTIN


def _show(printer: Printer, method: dict[str, Any]) -> None:
    version = f'@{method["version"]}' if method.get('version') else ''
    signature = f'({", ".join(method.get("params") or ())})'
    printer.show(Text.assemble((method['name'], 'bold'), version, signature))
    if method.get('help'):
        printer.show(Padding(Text(inspect.cleandoc(method['help'])), (0, 0, 0, 4)))
    printer.show(Text(''))
