"""One run of the command line, from its arguments to its exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from lymph.cli._program.program import program
from lymph.cli._program.streams import drop_stderr_if_it_fails, stdout_error
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import DONE, FAILED, READER_GONE
from lymph.cli.output import cannot_write, say, say_block
from lymph.cli.settings import Settings
from lymph.config.exceptions import LymphError

__all__ = ['run']

# what few runs need
_explain: Callable[..., int] = lazy('lymph.cli._program.explaining:explain')
_explain_bug: Callable[[BaseException], int] = lazy('lymph.cli._program.explaining:explain_bug')


def run(arguments: Sequence[str] | None) -> int:
    """Run a command line and return the exit code.

    A user's mistake becomes one line on stderr; only what is a bug shows its whole traceback.
    """
    exit_code = _outcome(arguments)
    error = stdout_error()  # of what other people's code printed
    if isinstance(error, BrokenPipeError):
        exit_code = exit_code or READER_GONE
    elif error is not None:
        say(f'lymph: {cannot_write(error)}')
        exit_code = exit_code or FAILED
    drop_stderr_if_it_fails()
    return exit_code


def _outcome(arguments: Sequence[str] | None) -> int:
    settings = Settings()
    try:
        exit_code = program.main(arguments, prog_name='lymph', standalone_mode=False, obj=settings)
    except (LymphError, click.ClickException, click.Abort) as error:
        return _explain(error, debug=settings.loglevel == 'DEBUG')
    except SystemExit as error:
        return _told(error)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - of whatever kind
        return _explain_bug(error)
    return DONE if exit_code is None else int(exit_code)


def _told(error: SystemExit) -> int:
    """Return the exit code that a command of others ends with, and print its words."""
    if error.code is None or isinstance(error.code, int):
        return error.code or DONE
    say_block(str(error.code))
    return FAILED
