"""Makes one call and prints its reply."""

from __future__ import annotations

from collections.abc import Sequence

from lymph.cli.bodies import parse_body
from lymph.cli.outcomes import OperationFailed
from lymph.cli.printing import Printer
from lymph.cli.running.asking import open_client
from lymph.cli.settings import Settings
from lymph.cli.subjects import parse_subject
from lymph.exceptions import RemoteError

__all__ = ['run']


def run(
    settings: Settings,
    subject: str,
    params: Sequence[str],
    address: str | None,
    timeout: float | None,
    as_json: bool,
) -> None:
    """Call the method and print what it returns; raises RpcError if it returns nothing."""
    wanted = parse_subject(subject)
    body = parse_body(params)
    with open_client(settings) as client:
        try:
            reply = client.request(
                address or wanted.interface,
                str(wanted),
                body,
                timeout=timeout,
                version=wanted.version,
            )
        except RemoteError as error:
            raise OperationFailed(f'{wanted} raised {error.type}: {error}') from error
    printer = Printer(settings)
    if as_json:
        printer.json(reply)
    else:
        printer.value(reply)
