"""The trace id of a command: every error names it, so that logs can be searched for it."""

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
    """Run a block with the trace id `id`; with `verbose`, print the id on stderr first.

    Raises OperationFailed for any LymphError of the block: its text names the trace id of the
    failed call, or `id` if the error has none. A ConfigurationError is raised unchanged, because
    nothing has been sent with the trace id then.
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
    """Return the trace id of the call that an error or its cause is about, or None."""
    for about in (error, error.__cause__):
        if isinstance(about, RpcError):
            return about.trace_id
    return None
