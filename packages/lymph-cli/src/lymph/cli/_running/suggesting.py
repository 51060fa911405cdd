"""Suggests the name that the user of a failed call probably meant.

The command asks the registry or the service only after a call has failed, so calls that succeed
cost nothing more.
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

_PATIENCE = 1.0  # seconds for all questions together
_TOLD = 'did you mean'  # in an error that already has a suggestion
_WRONG_METHOD: Final[tuple[Reason, ...]] = ('unknown_interface', 'unknown_method')


def suggestion(
    client: Client, address: str, subject: Subject, given: Iterable[str], error: RpcError
) -> str | None:
    """Return what was probably meant by a call that ended with `error`; None without a suggestion.

    `given` are the names of its arguments. Takes at most one second; raises no error of lymph.
    """
    if isinstance(error, LookupFailure):
        service = meant_service(client, error, (RPC,))
        if service is None or address != subject.interface:
            # With --address the name of the service stood there, and not in the subject.
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
    """Return the name of a service that is similar to the unknown one of `error`, or None.

    Takes at most one second; raises no error of lymph.
    """
    if error.service is None or _TOLD in str(error):
        return None
    found = _in_time(lambda: [client.container.discover(each) for each in namespaces])
    names = set().union(*found or ())
    return None if error.service in names else close_name(error.service, names)


@contextlib.contextmanager
def services_suggested(client: Client) -> Iterator[None]:
    """Add a suggestion to an error of the block about an unknown service.

    Raises LookupFailure with the suggestion, or the original error if no name is similar.
    """
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
    """Return the result of `ask`; None if it fails or takes more than `_PATIENCE` seconds."""
    with contextlib.suppress(LymphError), gevent.Timeout(_PATIENCE, False):  # type: ignore[arg-type]  # not in the stubs
        return ask()
    return None
