"""How a run of `lymph` ends: with an exit code.

==== =====================================================================================
0    done
1    the operation failed: no answer, an error from the other side, stdout that takes no more
2    wrong usage, or a configuration that cannot be used
129  ended by SIGHUP
130  interrupted with Ctrl-C
143  ended by SIGTERM
141  the reader of the output has gone
==== =====================================================================================

A command, ours or anybody's, returns when it is done and raises otherwise. Its error becomes one
line on stderr, and the exit code:

================================== ===============================================================
`OperationFailed`                  1; so do all errors of lymph, such as a `Timeout`
`lymph.config.ConfigurationError`  2
`click.UsageError`                 2, with the usage named
`KeyboardInterrupt`                130, without a word
`click.exceptions.Exit(code)`      that code, without a word
anything else                      1; it is a bug, and its traceback is shown
================================== ===============================================================
"""

from __future__ import annotations

from lymph.config.exceptions import LymphError

__all__ = [
    'DONE',
    'FAILED',
    'INTERRUPTED',
    'READER_GONE',
    'WRONG',
    'CodeFailed',
    'Interrupted',
    'OperationFailed',
]

DONE = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 128 + 2  # as a shell says it of a process that died of SIGINT
READER_GONE = 128 + 13  # SIGPIPE


class OperationFailed(LymphError):
    """What was asked for did not come about: exit code 1, and its text as the one line on stderr.

    Say what was expected, what was found and what to do; it is made printable.
    """


class CodeFailed(LymphError):
    """Code that the configuration names raised `error`; `text` says so with both places."""

    def __init__(self, text: str, error: BaseException, exit_code: int) -> None:
        super().__init__(text)
        self.error = error
        self.exit_code = exit_code


class Interrupted(KeyboardInterrupt):
    """A signal tells a command to end; it cleans up and ends with `exit_code`."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number
