"""Errors of code that a configuration names: a user's modules, classes and hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from click import Abort, ClickException
from click.exceptions import Exit

from lymph.cli._running.stopping import Stopped
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import FAILED, WRONG, CodeFailed
from lymph.config import ConfigurationError, LymphError
from lymph.config.places import Place, place_of
from lymph.config.secrets import mask_text
from lymph.core._work.chains import raised_by
from lymph.core.components import Component
from lymph.core.failures import Killed, error_line

__all__ = ['code_explained', 'interceptors_explained']

_last_place: Callable[[BaseException], str | None] = lazy(
    'lymph.cli._program.tracebacks:last_place'
)


@contextmanager
def code_explained() -> Iterator[None]:
    """Raise CodeFailed for what code raises in the block, if the configuration names that code.

    Other errors pass: they are lymph's own.
    """
    try:
        yield
    except (ClickException, Exit, KeyboardInterrupt, Stopped, Killed):
        raise
    except ConfigurationError as error:
        place = place_of(error)
        if error.where is None and place is not None:
            error.where = place.where
        raise
    except BaseException as error:
        place = place_of(error)
        at = _last_place(error)
        # What lymph raises on purpose, and not for a user's code, says itself where to look.
        if place is None or (isinstance(error, LymphError) and at is None):
            raise
        # A call that failed, say, is no mistake in the code.
        code = FAILED if isinstance(error, LymphError) else WRONG
        raise CodeFailed(_sentence(error, place, at), error, code) from error


@contextmanager
def interceptors_explained() -> Iterator[None]:
    """Raise CodeFailed for what interceptors raise in the block, of whatever kind.

    LymphErrors pass, such as a Refused: they are outcomes that say themselves what failed.
    """
    try:
        yield
    except (LymphError, ClickException, Exit, Abort, KeyboardInterrupt, SystemExit, Stopped):
        raise
    except BaseException as error:
        plugin = raised_by(error)
        where = plugin.configured_at if isinstance(plugin, Component) else None
        if where is None:
            raise
        at = _last_place(error)
        if at is None and error.__cause__ is not None:  # a Killed, whose frames those are
            at = _last_place(error.__cause__)
        place = Place(where, 'the interceptor')
        raise CodeFailed(_sentence(error, place, at), error, FAILED) from error


def _sentence(error: BaseException, place: Place, at: str | None) -> str:
    where = f' at {at}' if at else ''
    advice = ''
    if isinstance(error, ModuleNotFoundError):
        advice = '; install it, or check its name'
    elif at is None and not isinstance(error, SyntaxError):
        advice = '; --loglevel debug shows where'
    return f'{place.where}: {place.doing} failed{where}: {mask_text(error_line(error))}{advice}'
