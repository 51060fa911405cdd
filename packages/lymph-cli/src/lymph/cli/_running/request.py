"""Makes one call and prints its reply, or many and prints what became of them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from lymph.cli._arguments.bodies import parse_body
from lymph.cli._arguments.instances import find_instances, parse_wanted
from lymph.cli._arguments.subjects import parse_address, parse_subject
from lymph.cli._running.asking import open_client
from lymph.cli._running.calling import DescribedCall, failure
from lymph.cli._running.load.plan import plan_of
from lymph.cli._running.suggesting import services_suggested
from lymph.cli._running.tracing import choose_trace_id, traced
from lymph.cli.output import say
from lymph.cli.printing import Printer
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.config.lazy import lazy
from lymph.core.call_options import CallOptions
from lymph.events.null import NullEventSystem
from lymph.exceptions import RpcError, SerializationError
from lymph.serializers.msgpack import pack

__all__ = ['run']

# what an ordinary call does not need
_header_dump = lazy('lymph.cli._running.headers:HeaderDump')
_run_load = lazy('lymph.cli._running.load.running:run_load')
_static_registry = lazy('lymph.discovery.static:StaticServiceRegistry')


def run(
    settings: Settings,
    subject: str,
    params: Sequence[str],
    *,
    address: str | None,
    timeout: float | None,
    trace_id: str | None,
    verbose: bool,
    dump_headers: bool,
    as_json: bool,
    requests: int | None,
    concurrency: int | None,
    duration: float | None,
) -> None:
    """Call the method as often as is asked for; raises OperationFailed if a call fails.

    Everything on the command line is checked, and stdin read, before anything is connected to.
    """
    wanted = parse_subject(subject)
    plan = plan_of(requests, concurrency, duration)
    if plan is not None and dump_headers:
        raise click.UsageError('--dump-headers is for a single call, without -N, -C and --duration')
    trace_id = choose_trace_id(trace_id)
    called = wanted.interface if address is None else parse_address(address)
    arguments = parse_body(params)
    options = CallOptions(timeout, wanted.version, trace_id=trace_id)
    call = DescribedCall(wanted, called, tuple(arguments), _pack(arguments), options)
    dump = functools.partial(_header_dump, subject=str(wanted), tell=say)
    parts: dict[str, Any] = {'events': NullEventSystem()}  # a call needs none
    if '://' in called:
        parts['registry'] = _static_registry()
    with (
        open_client(
            settings, dump if dump_headers else None, plugins=wanted.interface != 'lymph', **parts
        ) as client,
        traced(trace_id, verbose=verbose),
        services_suggested(client),
    ):
        call = replace(call, address=_of_one(client, called))
        if plan is None:
            _print_reply(settings, client, call, as_json)
        else:
            _run_load(settings, client, call, plan, trace_id, as_json)


def _of_one(client: Client, address: str) -> str:
    """Return the endpoint of the instance NAME:IDENTITY, other addresses as they are.

    Raises LookupFailure if nobody offers the service, OperationFailed if there is not just one.
    """
    if '://' in address or ':' not in address:
        return address
    found = find_instances(client.container.registry, parse_wanted(address))
    endpoints = {each.endpoint for each in found}
    # several are those of a service that has a colon in its name
    return endpoints.pop() if len(endpoints) == 1 else address


def _pack(arguments: Mapping[str, Any]) -> bytes:
    try:
        return pack(arguments)
    except SerializationError as error:
        raise click.UsageError(str(error)) from error


def _print_reply(settings: Settings, client: Client, call: DescribedCall, as_json: bool) -> None:
    try:
        reply = call.through(client)()
    except RpcError as error:
        raise failure(client, call, error) from error
    printer = Printer(settings)
    if as_json:
        printer.json(reply)
    else:
        printer.value(reply)
