"""What `lymph` says when it fails, before it ends with an exit code.

One line on stderr comes first. Where code of a user raised, or of anybody whom the configuration
names, the traceback follows with the frames of the user's files alone; with `--loglevel debug`
everything is shown. What has no such explanation is a bug and shows its whole traceback.
"""

from __future__ import annotations

import click

from lymph.cli._program.tracebacks import user_traceback
from lymph.cli._program.usage import usage_line
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import FAILED, INTERRUPTED, WRONG, CodeFailed
from lymph.cli.output import say, say_block
from lymph.config import ConfigurationError, LymphError, PluginError

__all__ = ['explain', 'explain_bug']

# with gevent, which is not loaded for help and the like
_error_line = lazy('lymph.core.failures:error_line')
_traceback_text = lazy('lymph.core.failures:traceback_text')


def explain(error: LymphError | click.ClickException | click.Abort, *, debug: bool = False) -> int:
    """Say on stderr what went wrong and return the exit code; with `debug` say all of it."""
    if isinstance(error, click.Abort):
        return INTERRUPTED
    if isinstance(error, click.UsageError):
        say(usage_line(error))
        return WRONG
    if isinstance(error, click.ClickException):
        say(f'lymph: {error.format_message()}')
        return error.exit_code
    say(f'lymph: {_with_advice(error)}')
    shown = _traceback_text(error) if debug else _users_part(error)
    if shown:
        say_block(shown)
    if isinstance(error, CodeFailed):
        return error.exit_code
    return WRONG if isinstance(error, ConfigurationError) else FAILED


def _with_advice(error: LymphError) -> str:
    text = str(error) or type(error).__name__
    # The text of the library names what failed; what to run next is known here.
    return f'{text}; see `lymph why ADDRESS`' if 'connection failed: ' in text else text


def explain_bug(error: BaseException) -> int:
    """Say on stderr that something unexpected happened, and all of it; return the exit code."""
    say(f'lymph: unexpected error, please report it: {_error_line(error)}')
    say_block(_traceback_text(error))
    return FAILED


def _users_part(error: LymphError) -> str:
    if isinstance(error, CodeFailed):
        return user_traceback(error.error)
    # a plugin that the configuration names, or a module of the user's
    if isinstance(error, PluginError) and error.where is not None and error.__cause__ is not None:
        return user_traceback(error.__cause__)
    return ''
