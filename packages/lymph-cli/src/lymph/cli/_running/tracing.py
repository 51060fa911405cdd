"""The trace id of what a command does, named in every error so that logs can be searched for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import say
from lymph.config import ConfigurationError, LymphError
from lymph.config.printable import quoted
from lymph.core import trace
from lymph.core.failures import error_text
from lymph.exceptions import RpcError

__all__ = ['choose_trace_id', 'traced']

_TEXT = 3000  # characters of an error's text: it is printed on one line with the trace id


def choose_trace_id(given: str | None) -> str:
    """Return the trace id that was given, or a new one; raises UsageError for an invalid one."""
    if given is None:
        return trace.new_id()
    if not trace.is_valid(given):
        raise click.UsageError(f'--trace-id: expected {trace.RULE}, found {quoted(given)}')
    return given


@contextmanager
def traced(id: str, *, verbose: bool) -> Iterator[None]:
    """Run a block with a trace id; `verbose` says it on stderr first.

    An error that leaves the block names the trace id: that of the call that failed, which the error
    knows, or the one of the block. An invalid configuration is no such error: nothing has left this
    process then.
    """
    if verbose:
        say(f'trace {id}')
    trace.set_id(id)
    try:
        yield
    except ConfigurationError:
        raise
    except LymphError as error:
        text = error_text(error, _TEXT)
        used = _trace_id_of(error) or id
        raise OperationFailed(text if used in text else f'{text} (trace {used})') from error


def _trace_id_of(error: LymphError) -> str | None:
    """Return the trace id of the call that an error is about."""
    for about in (error, error.__cause__):
        if isinstance(about, RpcError):
            return about.trace_id
    return None
