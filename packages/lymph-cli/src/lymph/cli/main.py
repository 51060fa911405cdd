"""The entry point of the `lymph` command."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import click

from lymph.cli.explaining import explain, explain_bug
from lymph.cli.outcomes import DONE
from lymph.cli.program import program
from lymph.cli.settings import Settings
from lymph.config import LymphError

__all__ = ['main']


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; `arguments` default to those of the process.

    A user's mistake becomes one line on stderr; only what is a bug shows its whole traceback.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What the locale has no character for is escaped.
        sys.stdout.reconfigure(errors='backslashreplace')
    settings = Settings()
    try:
        exit_code = program.main(arguments, prog_name='lymph', standalone_mode=False, obj=settings)
    except (LymphError, click.ClickException, click.Abort) as error:
        return explain(error, debug=settings.loglevel == 'DEBUG')
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - of whatever kind
        return explain_bug(error)
    return DONE if exit_code is None else int(exit_code)


if __name__ == '__main__':
    if not getattr(sys.flags, 'safe_path', False):
        del sys.path[0]  # the current folder, for -m: commands decide what they import from it
    sys.exit(main())
