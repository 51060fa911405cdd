"""How a run of `lymph` ends: with an exit code.

==== =====================================================================================
0    done
1    the operation failed: no answer, an error from the other side, stdout that takes no more
2    wrong usage, or a configuration that cannot be used
129  ended by SIGHUP
130  interrupted with Ctrl-C
143  ended by SIGTERM
141  whoever read the output has gone
==== =====================================================================================
"""

from __future__ import annotations

from lymph.config.exceptions import LymphError

__all__ = [
    'DONE',
    'FAILED',
    'INTERRUPTED',
    'READER_GONE',
    'WRONG',
    'Interrupted',
    'OperationFailed',
]

DONE = 0
FAILED = 1
WRONG = 2
INTERRUPTED = 128 + 2  # as a shell says it of a process that died of SIGINT
READER_GONE = 128 + 13  # SIGPIPE


class OperationFailed(LymphError):
    """What was asked for did not come about; its text is the one line that the user sees."""


class Interrupted(KeyboardInterrupt):
    """A signal tells a command to end; it cleans up and ends with `exit_code`."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number
