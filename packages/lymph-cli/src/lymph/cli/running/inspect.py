"""Prints what a service offers, as one of its instances describes it."""

from __future__ import annotations

import inspect
from typing import Any

from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import say
from lymph.cli.printing import Printer, Text, line, lines
from lymph.cli.running.asking import open_client
from lymph.cli.settings import Settings
from lymph.cli.subjects import parse_service
from lymph.client import Client
from lymph.config.printable import quoted
from lymph.core.versioning import Version, parse_version
from lymph.exceptions import RpcError

__all__ = ['run']

#: Characters of a documentation that are shown.
_LONGEST = 64_000
#: The interface that every instance has.
_BUILTIN = 'lymph'


def run(settings: Settings, address: str, everything: bool, as_json: bool) -> None:
    """Print the methods of a service, or those of the instance at an endpoint.

    A service named with a version is described by an instance that serves it, with the methods of
    the versions that do. With `everything`, print all methods of the instance. Raises RpcError if
    nobody describes them, OperationFailed if what describes them is of another form, UsageError for
    an invalid version.
    """
    name, version = parse_service(address)
    with open_client(settings) as client:
        methods = _methods(_ask(client, name, version))
    methods = [
        each
        for each in methods
        if everything or (_belongs(each['name'], name) and _serves(each['version'], version))
    ]
    methods.sort(key=lambda each: (each['name'], each['version'] or ''))
    printer = Printer(settings)
    if as_json:
        printer.json({'methods': methods})
    elif not methods:
        say(f'{address} offers no methods; --all shows what every instance has')
    for each in [] if as_json else methods:
        _show(printer, each)


def _ask(client: Client, name: str, version: Version | None) -> Any:
    """Return the answer of one of those that serve a version; raises RpcError if none gives one."""
    if version is None:
        return client.request(name, 'lymph.inspect')
    service = client.container.registry.get(name)
    error: RpcError = service.lacks(version)
    for instance in service.match(version):
        try:
            # At its endpoint: the interface that answers this has no version.
            return client.request(instance.endpoint, 'lymph.inspect')
        except RpcError as failure:
            error = failure
    raise error


def _serves(version: str | None, wanted: Version | None) -> bool:
    if wanted is None:
        return True
    try:
        return version is not None and parse_version(version).serves(wanted)
    except ValueError:
        return False


def _methods(reply: Any) -> list[dict[str, Any]]:
    """Return the methods in a reply with the fields that lymph knows, each of its type."""
    if not isinstance(reply, dict) or not isinstance(reply.get('methods'), list):
        raise _wrong('a mapping with a list of methods', reply)
    return [_method(each) for each in reply['methods']]


def _method(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not isinstance(found.get('name'), str):
        raise _wrong('methods with a name', found)
    method = {'version': None, 'params': [], 'help': '', **found}
    params = method['params']
    if not (
        isinstance(method['version'], (str, type(None)))
        and isinstance(method['help'], (str, type(None)))
        and isinstance(params, (list, type(None)))
        and all(isinstance(each, str) for each in params or ())
    ):
        raise _wrong('version and help as text, and params as a list of text', found)
    return method


def _wrong(expected: str, found: Any) -> OperationFailed:
    return OperationFailed(
        f'the answer to lymph.inspect is wrong: expected {expected}, found {quoted(found)}'
    )


def _belongs(name: str, address: str) -> bool:
    interface = name.rpartition('.')[0]
    return interface == address if '://' not in address else interface != _BUILTIN


def _show(printer: Printer, method: dict[str, Any]) -> None:
    version = f'@{method["version"]}' if method['version'] else ''
    signature = f'({", ".join(method["params"] or ())})'
    printer.show(Text.assemble(line(method['name'], 'bold'), line(version), line(signature)))
    if method['help']:
        printer.indented(lines(inspect.cleandoc(method['help'][:_LONGEST])))
    printer.show(line(''))
