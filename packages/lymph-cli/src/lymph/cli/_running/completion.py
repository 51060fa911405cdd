"""Prints the script for a shell, or the answer to one that wants to complete a word."""

from __future__ import annotations

import os
from pathlib import Path

from lymph.cli import _completing as completing
from lymph.cli._completing.answers import answer
from lymph.cli.output import write

__all__ = ['run']


def run(shell: str, answering: bool) -> None:
    """Print the script; or, `answering`, what to offer for the line in LYMPH_COMPLETE_LINE."""
    if answering:
        write(_answer(shell))
    else:
        folder = Path(completing.__file__).parent
        write((folder / 'scripts' / f'{shell}.sh').read_text())


def _answer(shell: str) -> str:
    line = os.environ.get('LYMPH_COMPLETE_LINE', '')
    breaks = ''.join(set(os.environ.get('LYMPH_COMPLETE_BREAKS', '')) & set('=:@'))
    try:
        return answer(line, breaks, described=shell != 'bash') + '\n'
    except BaseException:  # noqa: BLE001 - a message would break the prompt
        return ''
