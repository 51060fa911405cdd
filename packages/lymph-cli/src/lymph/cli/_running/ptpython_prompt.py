"""The prompt of ptpython.

As that of IPython, it is read by asyncio, and the loop turns while it waits.
"""

from __future__ import annotations

from typing import Any

from ptpython.repl import PythonRepl, embed, run_config

from lymph.cli._running.prompting import history_file
from lymph.cli.output import write

__all__ = ['interact']


def interact(names: dict[str, Any], banner: str) -> None:
    """Read and run lines until the end of the input; settings are those of ptpython."""
    write(f'{banner}\n')
    embed(
        {'__name__': '__main__', '__doc__': None, **names},
        configure=_configure,
        history_filename=history_file('ptpython_history'),
    )


def _configure(repl: PythonRepl) -> None:
    run_config(repl)
    repl.confirm_exit = False
