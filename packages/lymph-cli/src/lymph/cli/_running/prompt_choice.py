"""Which prompt `lymph shell` shows: IPython's, ptpython's or Python's own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from click import UsageError

from lymph.cli.output import say
from lymph.core.failures import error_line

__all__ = ['Interact', 'choose_prompt']

#: shows a prompt with these names, below these words
Interact = Callable[[dict[str, Any], str], None]

_PLAIN = 'plain'
#: those that may be installed, the preferred one first, with their modules
_OTHERS = {'ipython': 'IPython', 'ptpython': 'ptpython'}


def choose_prompt(asked: str | None) -> Interact:
    """Return the prompt that is asked for; without one, the first that is installed.

    Raises UsageError if that is not installed, or cannot be loaded.
    """
    if asked is not None:
        return _load(asked)
    if all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        for kind, module in _OTHERS.items():
            if find_spec(module) is not None:
                try:
                    return _load(kind)
                except UsageError as error:
                    # Nobody asked for it, so a broken one is passed over.
                    say(f'{error.message}')
    return _load(_PLAIN)


def _load(kind: str) -> Interact:
    module = _OTHERS.get(kind)
    if module is not None and find_spec(module) is None:
        raise UsageError(
            f"--shell={kind}: {module} is not installed; pip install 'lymph-cli[{kind}]' does it"
        )
    try:
        interact: Interact = importlib.import_module(f'lymph.cli._running.{kind}_prompt').interact
    except Exception as error:
        raise UsageError(f'--shell={kind}: it cannot be loaded: {error_line(error)}') from error
    return interact
