"""The entry point of the `lymph` command."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from lymph.cli._program.collecting import collect_again, collect_later
from lymph.cli._program.signals import handle_signals
from lymph.cli._program.streams import open_streams

__all__ = ['main']


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; `arguments` default to those of the process.

    The process belongs to `lymph` from now on: signals are heard and its standard streams are
    prepared before anything is imported that takes time.
    """
    handle_signals()
    open_streams()
    collect_later()
    try:
        exit_code: int = importlib.import_module('lymph.cli._program.command_line').run(arguments)
    finally:
        collect_again()
    return exit_code


if __name__ == '__main__':
    if not getattr(sys.flags, 'safe_path', False):
        del sys.path[0]  # the current folder, for -m: commands decide what they import from it
    sys.exit(main())
