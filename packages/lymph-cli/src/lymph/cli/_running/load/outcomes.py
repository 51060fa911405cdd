"""How calls end, and what is kept of thousands of them.

======================== =================================================
``ok``                   the call returned
``raised NAME``          the method raised an error that it declares
``failed``               it raised another one, or its reply cannot be read
``refused: REASON``      overloaded, draining, invalid_arguments, ...
``timeout``              no reply in time
``expired``              the time was over before anything was sent
``connection lost``      the link broke with the call in flight
``not connected``        no instance could be reached
``no instance``          the registry knows none
``error``                any other
======================== =================================================
"""

from __future__ import annotations

from typing import Final

from lymph.cli._running.load.histogram import Durations
from lymph.config.printable import printable
from lymph.core.reasons import CALL_IS_WRONG
from lymph.exceptions import (
    ConnectionLost,
    Expired,
    Failed,
    LookupFailure,
    Nack,
    NotConnected,
    Refused,
    RemoteError,
    RpcError,
    Timeout,
)

__all__ = ['OK', 'OTHERS', 'Tally', 'is_mistake', 'outcome_of']

OK: Final = 'ok'
OTHERS: Final = 'others'  # what peers name after there are many names

_NAME = 60  # characters of a reason or a class, which peers choose
_ERROR = 500  # characters that are kept of an error
_KINDS = 32

#: The first that fits: Expired is a Timeout, too.
_NAMES: Final = (
    (Failed, 'failed'),
    (Expired, 'expired'),
    (Timeout, 'timeout'),
    (ConnectionLost, 'connection lost'),
    (NotConnected, 'not connected'),
    (LookupFailure, 'no instance'),
)


def outcome_of(error: RpcError) -> str:
    """Return the name of the outcome that an error is."""
    if isinstance(error, RemoteError):
        return f'raised {printable(error.type, _NAME)}'
    if isinstance(error, Refused):
        return f'refused: {printable(error.reason, _NAME)}'
    for cls, name in _NAMES:
        if isinstance(error, cls):
            return name
    return 'error'


def is_mistake(error: RpcError) -> bool:
    """Tell whether a call cannot succeed as it is, however often it is made."""
    if isinstance(error, Nack):
        return error.reason in CALL_IS_WRONG
    return isinstance(error, LookupFailure)


class Tally:
    """Counts calls by outcome: a histogram of each, and the text of its first error."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Durations] = {}
        self.errors: dict[str, str] = {}
        self._succeeded = self.outcomes[OK] = Durations()

    def succeeded(self, seconds: float) -> None:
        """Count a call that returned."""
        self._succeeded.record(seconds)

    def failed(self, error: RpcError, seconds: float) -> None:
        """Count a call that ended with an error."""
        name = outcome_of(error)
        if name not in self.outcomes and len(self.outcomes) >= _KINDS:
            name = OTHERS
        if name not in self.errors:
            self.errors[name] = printable(str(error), _ERROR)
        self.outcomes.setdefault(name, Durations()).record(seconds)

    @property
    def calls(self) -> int:
        """How many calls have ended."""
        return sum(each.count for each in self.outcomes.values())

    @property
    def failures(self) -> int:
        """How many of them did not succeed."""
        return self.calls - self._succeeded.count

    def all(self) -> Durations:
        """Return the histogram of all calls, whatever their outcome."""
        every = Durations()
        for each in self.outcomes.values():
            every.add(each)
        return every
