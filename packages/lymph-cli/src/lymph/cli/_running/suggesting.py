"""Asks the registry or the service what somebody probably meant whose call failed.

That is done after the failure and here, so that it costs a service nothing while calls are right.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import gevent

from lymph.cli._arguments.subjects import Subject
from lymph.cli._program.meanings import Described, meant_method, meant_parameters, read_parameters
from lymph.client import Client
from lymph.config.suggestions import close_name
from lymph.core.reasons import Reason
from lymph.discovery.base import HTTP, RPC
from lymph.exceptions import LookupFailure, LymphError, Refused, RpcError

__all__ = ['meant_service', 'services_suggested', 'suggestion']

_PATIENCE = 1.0  # seconds that an answer may take in all
_TOLD = 'did you mean'  # in an error that names it already
_WRONG_METHOD: Final[tuple[Reason, ...]] = ('unknown_interface', 'unknown_method')


def suggestion(
    client: Client, address: str, subject: Subject, given: Iterable[str], error: RpcError
) -> str | None:
    """Return what was probably meant by a call that ended with `error`; None if nobody can tell.

    `given` are the names of its arguments. Takes a second at most, and raises nothing.
    """
    if isinstance(error, LookupFailure):
        service = meant_service(client, error, (RPC,))
        if service is None or address != subject.interface:
            return service
        return f'{service}.{subject.method}'
    if not isinstance(error, Refused) or _TOLD in str(error):
        return None
    if error.reason in _WRONG_METHOD:
        return meant_method(subject, _described(client, address))
    if error.reason == 'invalid_arguments':
        return meant_parameters(given, subject, _described(client, address))
    return None


def meant_service(
    client: Client, error: LookupFailure, namespaces: Iterable[str] = (RPC, HTTP)
) -> str | None:
    """Return the name of a service that was probably meant where nobody offers the one of `error`.

    Takes a second at most, and raises nothing.
    """
    if error.service is None or _TOLD in str(error):
        return None
    found = _in_time(lambda: [client.container.discover(each) for each in namespaces])
    names = set().union(*found or ())
    return None if error.service in names else close_name(error.service, names)


@contextlib.contextmanager
def services_suggested(client: Client) -> Iterator[None]:
    """Have an error of the block about a service that nobody offers name the one that was meant."""
    try:
        yield
    except LookupFailure as error:
        meant = meant_service(client, error)
        if meant is None:
            raise
        text = f'{error}; did you mean {meant!r}?'
        raise LookupFailure(text, error.service, **error.facts) from error


def _described(client: Client, address: str) -> Described:
    return read_parameters(
        _in_time(lambda: client.request(address, 'lymph.inspect', timeout=_PATIENCE))
    )


def _in_time(ask: Callable[[], Any]) -> Any:
    """Return what `ask` does; None if that takes too long or fails."""
    with contextlib.suppress(LymphError), gevent.Timeout(_PATIENCE, False):  # type: ignore[arg-type]  # not in the stubs
        return ask()
    return None
