"""The prompt of Python itself."""

from __future__ import annotations

import code
from typing import Any

from lymph.cli._running.prompting import history, read_line

__all__ = ['interact']


class _PromptConsole(code.InteractiveConsole):
    def raw_input(self, prompt: str = '') -> str:
        return read_line(prompt)


def interact(names: dict[str, Any], banner: str) -> None:
    """Read and run lines until the end of the input."""
    console = _PromptConsole({'__name__': '__console__', '__doc__': None, **names})
    with history(console.locals):
        console.interact(banner, exitmsg='')
