"""What `lymph` says when it fails: one line on stderr, before it ends with an exit code."""

from __future__ import annotations

import click

from lymph.cli.outcomes import FAILED, INTERRUPTED, WRONG
from lymph.cli.output import say
from lymph.config import ConfigurationError, LymphError

__all__ = ['explain']


def explain(error: LymphError | click.ClickException | click.Abort) -> int:
    """Say on stderr what went wrong and return the exit code."""
    if isinstance(error, click.Abort):
        return INTERRUPTED
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else 'lymph'
        say(f'{command}: {_sentence(error.format_message())}; see `{command} --help`')
        return WRONG
    if isinstance(error, click.ClickException):
        say(f'lymph: {error.format_message()}')
        return error.exit_code
    say(f'lymph: {str(error) or type(error).__name__}')
    return WRONG if isinstance(error, ConfigurationError) else FAILED


def _sentence(message: str) -> str:
    return ' '.join(message.split()).rstrip('.')
