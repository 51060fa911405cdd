"""The prompt of IPython.

Its terminal is read by asyncio, whose selectors are gevent's once the standard library is patched:
the loop turns while it waits.
"""

from __future__ import annotations

from typing import Any

import IPython
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

__all__ = ['interact']


def interact(names: dict[str, Any], banner: str) -> None:
    """Read and run lines until the end of the input; history and settings are those of IPython."""
    config = Config()
    shell = config.TerminalInteractiveShell
    shell.banner1 = f'{banner}\n'
    shell.confirm_exit = False
    if hasattr(TerminalInteractiveShell, 'enable_tip'):
        shell.enable_tip = False
    IPython.start_ipython(argv=[], user_ns=names, config=config)
