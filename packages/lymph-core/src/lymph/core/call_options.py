"""The options of a call: what a caller sets besides the method and its arguments.

Every way to make a call takes the same options: `Interface.request`, `Client.request` and
`ServiceContainer.request` as keywords; `Proxy`, `lymph.proxy` and `self.proxy` for all calls
through a proxy; `Proxy.with_options` for single calls. They are checked only here.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields, replace
from numbers import Real
from typing import Any, Final, TypedDict, TypeGuard

from lymph.config.printable import printable, quoted
from lymph.config.suggestions import close_name
from lymph.core import trace
from lymph.core.limits import SUBJECT
from lymph.core.transport.endpoints import endpoint_of
from lymph.core.versioning import parse_version
from lymph.exceptions import Expired

__all__ = [
    'DEFAULT_OPTIONS',
    'OPTIONS',
    'CallKeywords',
    'CallOptions',
    'seconds_to_wait',
    'wrong_options',
]

_LONGEST: Final = 1e10  # seconds


class CallKeywords(TypedDict, total=False):
    """The options of a call as keyword arguments, for type checkers."""

    timeout: float | None
    version: str | None
    retries: int | None
    idempotent: bool
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class CallOptions:
    """The options of a call. Raises ValueError for an invalid value.

    ``timeout``
        Seconds for the whole call, retries included; above 0, kept as a float. None means
        `container.rpc.timeout`. If the caller itself has a deadline, the call ends by then.
    ``version``
        The version of the interface. ``'1.2'`` means any version from 1.2.0 up to, but not
        including, 2.0.0. None means the newest major version that an instance has.
    ``retries``
        How often the call may be retried, 0 or more. None means `container.rpc.retries`; then
        instances that cannot be connected to do not count as retries.
    ``idempotent``
        True: running the method twice does no harm, so the call may be retried even if an attempt
        may have run. False: only if the method is declared ``@lymph.rpc(idempotent=True)``.
    ``trace_id``
        The trace id that the call carries: up to 128 letters, digits and ``._:-``. None means the
        trace id of the current work, or a new one if it has none.
    """

    timeout: float | None = None
    version: str | None = None
    retries: int | None = None
    idempotent: bool = False
    trace_id: str | None = None

    def __post_init__(self) -> None:
        if self.timeout is not None:
            _check_timeout(self.timeout)
            # errors format the timeout, and before Python 3.12 a Fraction has no format
            object.__setattr__(self, 'timeout', float(self.timeout))
        if self.version is not None:
            _check_version(self.version)
        if self.retries is not None:
            _check_retries(self.retries)
        if self.idempotent is not False:
            _check_idempotent(self.idempotent)
        if self.trace_id is not None:
            trace.check_id(self.trace_id)

    def changed(self, what: str, changes: CallKeywords, address: str | None = None) -> CallOptions:
        """Return a copy of these options with `changes`.

        `what` names the call in errors, for example ``echo.upper``. Raises TypeError for an unknown
        option, ValueError for an invalid value, Expired for a timeout of 0 or less. The latter is
        an outcome of the call rather than a mistake: callers pass what is left of a time budget.
        `address` is where `what` is called, if known; Expired gets both as facts.
        """
        try:
            if self is DEFAULT_OPTIONS:
                return _known(**changes)
            return replace(self, **changes)
        except (TypeError, ValueError):  # TypeError also for unhashable values, from the cache
            return self._changed(what, changes, address)

    def _changed(self, what: str, changes: CallKeywords, address: str | None) -> CallOptions:
        what = printable(what, SUBJECT) if isinstance(what, str) else quoted(what)
        unknown = [name for name in changes if name not in OPTIONS]
        if unknown:
            raise TypeError(f'{what}: {_unknown(unknown[0])}')
        timeout = changes.get('timeout', self.timeout)
        rest: CallKeywords = {**changes, 'timeout': None}
        try:
            others = replace(self, **rest)
            if not (_is_seconds(timeout) and timeout <= 0):
                return replace(others, timeout=timeout)
        except ValueError as error:
            raise ValueError(f'{what}: {error}') from None
        raise Expired(
            f'{what}: no time left for the call, its timeout is {quoted(timeout)} s',
            subject=None if address is None else what,
            endpoint=None if address is None else endpoint_of(address),
            timeout=timeout,
            trace_id=others.trace_id or trace.get_id(),
        )


# A program uses few different sets of options, but uses them often.
_known = functools.lru_cache(maxsize=256, typed=True)(CallOptions)


def wrong_options(options: object, what: str) -> TypeError:
    """Return the error for `options` that are not CallOptions; `what` names the call."""
    what = printable(what, SUBJECT) if isinstance(what, str) else quoted(what)
    return TypeError(
        f'{what}: expected options such as CallOptions(timeout=3), found {quoted(options)}'
    )


def seconds_to_wait(timeout: Any, what: str) -> float:
    """Return the timeout of a wait in seconds as a float of at most three hundred years.

    Raises ValueError for what is not a number, and for booleans and nan. `what` is what is waited
    for.
    """
    number = isinstance(timeout, Real) and not isinstance(timeout, bool)
    if not number or timeout != timeout:
        raise ValueError(f'{what}: expected a timeout in seconds, found {quoted(timeout)}')
    return float(max(-_LONGEST, min(timeout, _LONGEST)))


def _is_seconds(timeout: Any) -> TypeGuard[float]:
    """Tell whether `timeout` is a number of less than three hundred years; booleans are not."""
    kind = type(timeout)
    if kind is not float and kind is not int and (kind is bool or not isinstance(timeout, Real)):
        return False
    return bool(timeout < _LONGEST)  # nan is not


def _check_timeout(timeout: float) -> None:
    if not _is_seconds(timeout):
        raise ValueError(f'expected a timeout in seconds, found {quoted(timeout)}')
    if timeout <= 0:
        raise ValueError(f'expected a timeout above 0 seconds, found {quoted(timeout)}')


def _check_version(version: object) -> None:
    if not isinstance(version, str):
        raise ValueError(f"expected a version like '1.2' as text, found {quoted(version)}")
    parse_version(version)


def _check_retries(retries: object) -> None:
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ValueError(f'expected retries as a whole number, 0 or more, found {quoted(retries)}')


def _check_idempotent(idempotent: object) -> None:
    if not isinstance(idempotent, bool):
        raise ValueError(f'expected idempotent as True or False, found {quoted(idempotent)}')


def _unknown(name: str) -> str:
    close = close_name(name, OPTIONS)
    advice = f'did you mean {close!r}?' if close else 'arguments of the method go into its body'
    return f'expected options of a call ({", ".join(OPTIONS)}), found {name!r}; {advice}'


#: the names of all options
OPTIONS: Final = tuple(field.name for field in fields(CallOptions))

#: the options of calls that set none
DEFAULT_OPTIONS: Final = CallOptions()
