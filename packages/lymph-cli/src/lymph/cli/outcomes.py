"""How a run of `lymph` ends: an exit code and, unless all went well, one line on stderr.

==== ====================================================================
0    done
1    the operation failed: no answer, an error from the other side
2    wrong usage, or a configuration that cannot be used
130  interrupted with Ctrl-C
141  whoever read the output has gone
==== ====================================================================
"""

from __future__ import annotations

import sys

import click

from lymph.config import ConfigurationError, LymphError

__all__ = ['DONE', 'FAILED', 'INTERRUPTED', 'READER_GONE', 'WRONG', 'OperationFailed', 'explain']

DONE = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 128 + 2  # as a shell says it of a process that died of SIGINT
READER_GONE = 128 + 13  # SIGPIPE


class OperationFailed(LymphError):
    """What was asked for did not come about; its text is the one line that the user sees."""


def explain(error: LymphError | click.ClickException | click.Abort) -> int:
    """Say on stderr what went wrong and return the exit code."""
    if isinstance(error, click.Abort):
        return INTERRUPTED
    if isinstance(error, click.UsageError):
        command = error.ctx.command_path if error.ctx else 'lymph'
        _say(command, f'{_sentence(error.format_message())}; see `{command} --help`')
        return WRONG
    if isinstance(error, click.ClickException):
        _say('lymph', error.format_message())
        return error.exit_code
    _say('lymph', str(error) or type(error).__name__)
    return WRONG if isinstance(error, ConfigurationError) else FAILED


def _sentence(message: str) -> str:
    return ' '.join(message.split()).rstrip('.')


def _say(who: str, words: str) -> None:
    print(f'{who}: {words}', file=sys.stderr)  # noqa: T201 - this is what the user is told
