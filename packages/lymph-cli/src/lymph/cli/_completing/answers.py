"""The answer to a shell that wants to complete a word.

Its first line says what kind of answer it is; the others are what to offer, with a tab and a
description behind it, except for bash, which shows none.

========== ======================================================
words      whole words
unfinished beginnings of words: no space is to be put behind them
files      the shell offers files by itself
========== ======================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from click.shell_completion import CompletionItem, ShellComplete, split_arg_string

from lymph.cli._program.program import program
from lymph.cli.output import one_line
from lymph.cli.settings import Settings

__all__ = ['answer']

#: Nothing that a shell reads as more than a word: peers choose the names of services.
_SAFE = re.compile(r'[\w.:/@=+,%-]+')
#: Items that are offered, and characters of a description.
_MOST = 500
_DESCRIPTION = 100


def answer(line: str, breaks: str = '', *, described: bool = True) -> str:
    """Return the answer for a command line that ends where the cursor is.

    `breaks` are the characters at which the shell begins a new word, besides spaces; what stands
    before the last of them is left out. Raises whatever a command of others raises.
    """
    before, word = _words(line)
    kind, items = _complete(before, word)
    cut = max((word.rfind(character) for character in breaks), default=-1) + 1
    lines = [_line(item, cut, described) for item in items[:_MOST]]
    return '\n'.join([kind, *lines])


def _words(line: str) -> tuple[list[str], str]:
    """Return the words behind the program, and the one that is to be completed."""
    words = split_arg_string(line)
    word = '' if not words or line[-1:].isspace() else words.pop()
    return words[1:], word


def _complete(before: list[str], word: str) -> tuple[str, list[CompletionItem[str]]]:
    items = _Complete(program, {'obj': Settings()}, 'lymph', '').get_completions([*before], word)
    if any(item.type in ('file', 'dir') for item in items):
        return 'files', []
    if word.startswith('-') and '=' in word:
        # click offers only values, but the shell replaces the whole word.
        option = word.partition('=')[0]
        items = [CompletionItem(f'{option}={item.value}', help=item.help) for item in items]
    elif word.startswith('-') and '--' not in before:
        # After `--`, words are not options.
        items += _global_options(before, word, {item.value for item in items})
    items = [item for item in items if _SAFE.fullmatch(item.value)]
    unfinished = bool(items) and all(item.value.endswith('=') for item in items)
    return 'unfinished' if unfinished else 'words', items


class _Complete(ShellComplete):
    """click's search for the command, option or argument that a word belongs to."""


def _global_options(before: Iterable[str], word: str, found: set[str]) -> list[CompletionItem[str]]:
    """Return the options of `lymph` that may stand here: its commands hide them in their help."""
    given = {each.partition('=')[0] for each in before}
    return [
        CompletionItem(name, help=option.help)
        for option in program.params
        # Options such as --ip, which may only be written before the command, are not offered.
        if (option.name or '').startswith('lymph_') or '--version' in option.opts
        if getattr(option, 'multiple', False) or given.isdisjoint(option.opts)
        for name in (*option.opts, *option.secondary_opts)
        # Short options, such as -c, are not offered.
        if name.startswith(word) and name not in found and len(name) > 2
    ]


def _line(item: CompletionItem[str], cut: int, described: bool) -> str:
    value = item.value[cut:]
    if not described or not item.help:
        return value
    return f'{value}\t{one_line(" ".join(item.help.split()), _DESCRIPTION)}'
