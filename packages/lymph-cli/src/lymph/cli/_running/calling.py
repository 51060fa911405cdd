"""One call as the command line describes it, and what is said when it fails."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lymph.cli._arguments.subjects import Subject
from lymph.cli._running.suggesting import suggestion
from lymph.cli.outcomes import OperationFailed
from lymph.client import Client
from lymph.core.call_options import CallOptions
from lymph.exceptions import RemoteError, RpcError

__all__ = ['DescribedCall', 'failure']


@dataclass(frozen=True)
class DescribedCall:
    """A method, its arguments, packed, and where to call it: a service or an endpoint.

    `names` are those of the arguments.
    """

    subject: Subject
    address: str
    names: tuple[str, ...]
    body: bytes
    options: CallOptions

    def through(self, client: Client) -> Callable[[], Any]:
        """Return a function that makes the call and returns its result, or raises an RpcError.

        What is the same each time is prepared here: it may be called many times.
        """
        return functools.partial(
            client.container.request,
            self.address,
            str(self.subject),
            self.body,
            options=self.options,
        )


def failure(client: Client, call: DescribedCall, error: RpcError) -> OperationFailed:
    """Return the message for a failed call, with the name that was probably meant."""
    if isinstance(error, RemoteError):
        return OperationFailed(f'{error.subject or call.subject} raised {error.type}: {error}')
    meant = suggestion(client, call.address, call.subject, call.names, error)
    return OperationFailed(f'{error}; did you mean {meant}?' if meant else str(error))
