"""Words of a command that mean something to a shell alone: a node starts programs without one."""

from __future__ import annotations

import re

__all__ = ['shell_word']

#: What a shell takes as it stands: text in single quotes, in double quotes, an escaped character.
_QUOTED = re.compile(r"""'[^']*'|"(?:\\.|[^"\\])*"|\\.""", re.DOTALL)
_FOR_A_SHELL = re.compile(
    r"""
    [;<>|&()]+          # an operator that stands alone
    | \d*[<>].* | &>.*  # a redirection
    | .*(?:\||&&).*     # a pipe, or a condition, without spaces around it
    | .*[;&]            # the end of a command
    | .*`.*             # a substitution
    | .*\$[A-Za-z_({].* # a variable, or a substitution
    | ~(?:/.*)?         # a home directory
    """,
    re.VERBOSE,
)
_ASSIGNMENT = re.compile(r'[A-Za-z_]\w*=.*')


def shell_word(command: str) -> str | None:
    """Return the first word of a command line that only a shell understands, None without any.

    These are operators and redirections (``|``, ``&&``, ``;``, ``>file``), variables, command
    substitutions, ``~``, and ``NAME=value`` before the program. What stands in quotes is an
    argument of the program, whatever is in it.
    """
    bare = _QUOTED.sub(lambda found: '"' * len(found[0]), command)
    for number, found in enumerate(re.finditer(r'\S+', bare)):
        word = found[0]
        if _FOR_A_SHELL.fullmatch(word) or (number == 0 and _ASSIGNMENT.fullmatch(word)):
            return command[found.start() : found.end()]
    return None
